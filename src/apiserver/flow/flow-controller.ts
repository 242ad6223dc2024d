// SPDX-License-Identifier: Apache-2.0
// Keeps priority and fairness in step with its objects: takes over every change of FlowSchemas and PriorityLevelConfigurations,
// says in each schema's status whether its level exists, and keeps the objects that every cluster has.
//
// Event driven: it looks when one of the two caches has changed, and not before.
// @source upstream apiserver pkg/util/flowcontrol/apf_controller.go, pkg/registry/flowcontrol/{rest,ensurer}
import { flowschemas, prioritylevelconfigurations } from '#api';
import type { FlowSchema, PriorityLevelConfiguration } from '#api/flowcontrol/v1';
import type { Client } from '#client';
import { type Clock, formatTime, type Logger } from '#component';
import { type DeepReadonly, type Draft, deepEqual, isAlreadyExists, isConflict, isNotFound, type Resource } from '#machinery';
import { followChanges } from '../cacher/follow-changes.ts';
import type { PriorityAndFairness } from './fairness.ts';
import { AUTO_UPDATE_ANNOTATION, danglingCondition, flowSchemas, priorityLevels } from './flow-objects.ts';

type Configured = FlowSchema | PriorityLevelConfiguration;

export interface FlowControllerOptions {
  readonly fairness: PriorityAndFairness;
  /** Present objects, and a number that changes with them. */
  readonly read: () => {
    readonly schemas: readonly DeepReadonly<FlowSchema>[];
    readonly levels: readonly DeepReadonly<PriorityLevelConfiguration>[];
  };
  readonly generation: () => number;
  /** Calls back after every change of anything stored. */
  readonly onProgress: (run: () => void) => Disposable;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Names that must be there, whatever an administrator does. */
const MANDATORY = new Set(['exempt', 'catch-all']);

export class FlowController {
  readonly #options: FlowControllerOptions;
  #seen = -1;

  constructor(options: FlowControllerOptions) {
    this.#options = options;
  }

  /** Takes over what the caches show now. Cheap where nothing has changed. @returns Whether anything had. */
  refresh(): boolean {
    const { generation, fairness, read } = this.#options;
    const now = generation();
    if (now === this.#seen) return false;
    this.#seen = now;
    const { schemas, levels } = read();
    fairness.configure(schemas, levels);
    return true;
  }

  /** Follows the objects until `signal`. */
  run(signal: AbortSignal): Promise<void> {
    const { onProgress, clock, logger } = this.#options;
    return followChanges(
      {
        onProgress,
        clock,
        changed: () => this.refresh(),
        reconcile: () => this.#reconcile(),
        failed: (error) => logger.warn({ error: String(error) }, 'Flow control objects could not be written'),
      },
      signal,
    );
  }

  async #reconcile(): Promise<void> {
    const { read, client } = this.#options;
    const { schemas, levels } = read();
    await this.#keep(prioritylevelconfigurations, levels, priorityLevels());
    await this.#keep(flowschemas, schemas, flowSchemas());
    const known = new Set(levels.map(({ metadata }) => metadata.name));
    for (const schema of schemas) {
      const condition = this.#conditionFor(schema, known.has(schema.spec.priorityLevelConfiguration.name));
      if (condition === undefined) continue;
      const name = schema.metadata.name ?? '';
      await client
        .patch(flowschemas, { name }, 'merge', { status: { conditions: [condition] } }, { subresource: 'status' })
        .catch(ignore(isNotFound));
    }
  }

  /** The condition to write; undefined where it is right already. */
  #conditionFor({ spec, status }: DeepReadonly<FlowSchema>, exists: boolean): object | undefined {
    const wanted = danglingCondition(spec.priorityLevelConfiguration.name, exists, formatTime(this.#options.clock.now()));
    const present = status?.conditions?.find(({ type }) => type === 'Dangling');
    const same = present?.status === wanted.status && present.reason === wanted.reason && present.message === wanted.message;
    return same ? undefined : wanted;
  }

  /** Makes what is missing, sets right what updates itself, removes what was the system's once and is not any more. */
  async #keep<T extends Configured>(
    resource: Resource<T>,
    present: readonly DeepReadonly<T>[],
    wanted: readonly Draft<T>[],
  ): Promise<void> {
    const { client } = this.#options;
    const found = new Map(present.map((object) => [object.metadata.name, object]));
    for (const object of wanted) {
      const name = (object as Draft<Configured>).metadata?.name ?? '';
      const existing = found.get(name);
      if (existing === undefined) await client.create(resource, object).catch(ignore(isAlreadyExists));
      else await this.#set(resource, existing, object);
    }
    const names = new Set(wanted.map((object) => (object as Draft<Configured>).metadata?.name));
    for (const { metadata } of present) {
      if (names.has(metadata.name) || metadata.annotations?.[AUTO_UPDATE_ANNOTATION] !== 'true') continue;
      await client.delete(resource, { name: metadata.name ?? '' }).catch(ignore(isNotFound));
    }
  }

  async #set<T extends Configured>(resource: Resource<T>, existing: DeepReadonly<T>, wanted: Draft<T>): Promise<void> {
    const { metadata } = existing;
    const name = metadata.name ?? '';
    const said = metadata.annotations?.[AUTO_UPDATE_ANNOTATION];
    // Unsaid: an object nobody has ever changed is the system's.
    const automatic = MANDATORY.has(name) || (said === 'true' || said === 'false' ? said === 'true' : metadata.generation === 1);
    const flag = automatic ? 'true' : 'false';
    const spec = (wanted as Draft<Configured>).spec;
    const specIsRight = !automatic || contains(existing.spec, spec);
    if (said === flag && specIsRight) return;
    const change = {
      metadata: { annotations: { [AUTO_UPDATE_ANNOTATION]: flag }, resourceVersion: metadata.resourceVersion },
      ...(specIsRight ? {} : { spec }),
    };
    await this.#options.client.patch(resource, { name }, 'merge', change).catch(ignore((error) => isConflict(error) || isNotFound(error)));
  }
}

function ignore(expected: (error: unknown) => boolean): (error: unknown) => void {
  return (error) => {
    if (!expected(error)) throw error;
  };
}

/** Whether `object` says all that `wanted` says; defaults that were filled in do not count. */
function contains(object: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(object) && object.length === wanted.length && wanted.every((item, index) => contains(object[index], item));
  if (typeof wanted !== 'object' || wanted === null) return deepEqual(object, wanted);
  if (typeof object !== 'object' || object === null) return false;
  return Object.entries(wanted).every(([key, value]) => contains((object as Record<string, unknown>)[key], value));
}
