// SPDX-License-Identifier: Apache-2.0
// What every controller is given, and the queue that most of them are built around: handlers add keys, workers reconcile them.
import type { Client, EventRecorder, Informer, InformerFactory, Result } from '#client';
import { RateLimitedQueue, runController } from '#client';
import type { Clock, Logger } from '#component';
import { type DeepReadonly, type KubeObject, keyOf, type Resource } from '#machinery';
import type { CustomResources } from './custom-resources.ts';

/** A certificate authority that the signers of the cluster use. */
export interface SigningAuthority {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

export interface ManagerSettings {
  /** Range of Pod addresses; '' leaves nodes without podCIDR. */
  readonly clusterCidr: string;
  readonly nodeCidrMaskSize: number;
  readonly serviceClusterIpRange: string;
  /** PEM that `kube-root-ca.crt` publishes; '' publishes nothing. */
  readonly rootCa: string;
  readonly signing: SigningAuthority | undefined;
  /** PEM; signs the tokens in Secrets. '' makes none. */
  readonly serviceAccountKey: string;
  readonly nodeMonitorGracePeriodMs: number;
  readonly terminatedPodGcThreshold: number;
}

export interface ControllerContext {
  /** With this controller's own identity. */
  readonly client: Client;
  /** Shared by all controllers. */
  readonly informers: InformerFactory;
  /** Shared likewise. */
  readonly customResources: CustomResources;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
  readonly settings: ManagerSettings;
}

/** Works until the signal aborts; called once the caches are synced. */
export type Run = (signal: AbortSignal) => Promise<void>;

/** One line of the manager's list. */
export interface ControllerEntry {
  /** Upstream's name, as `--controllers` takes it. */
  readonly name: string;
  /** The service account in kube-system whose rights it has. @default none: it acts as the manager itself */
  readonly account?: string;
  /** The source of its events, where that is not the account. */
  readonly eventSource?: string;
  /** Registers informers, indexes and handlers; undefined where the settings leave it nothing to do. */
  readonly create: (context: ControllerContext) => Run | undefined;
}

export interface QueueOptions {
  /** @default 5 */
  readonly workers?: number;
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Result>;
}

/** A queue of keys with its workers. */
export class KeyQueue {
  readonly #context: ControllerContext;
  readonly #name: string;
  readonly queue: RateLimitedQueue<string>;

  constructor(context: ControllerContext, name: string) {
    this.#context = context;
    this.#name = name;
    this.queue = new RateLimitedQueue<string>({ clock: context.clock });
  }

  readonly add = (object: DeepReadonly<KubeObject>): void => this.queue.add(keyOf(object.metadata));

  addKey(key: string): void {
    this.queue.add(key);
  }

  addAfter(key: string, delayMs: number): void {
    this.queue.addAfter(key, delayMs);
  }

  /** Adds the key of every object of an informer whenever it changes. */
  follow<T extends KubeObject>(informer: Informer<T>): void {
    const add = (object: DeepReadonly<T>) => this.add(object as unknown as DeepReadonly<KubeObject>);
    informer.addHandler({ add, update: (_, after) => add(after), delete: add });
  }

  run({ workers, reconcile }: QueueOptions): Run {
    const { logger } = this.#context;
    return (signal) => runController({ name: this.#name, workers, queue: this.queue, reconcile, logger, signal });
  }
}

/** The key of the controller that owns an object, if it is of `kind`. */
export function ownerKeyOf(object: DeepReadonly<KubeObject>, kind: string): string | undefined {
  const owner = controllerOf(object);
  return owner?.kind === kind ? keyOf({ namespace: object.metadata.namespace, name: owner.name }) : undefined;
}

/** The reference that says who controls an object. */
export function controllerOf(object: DeepReadonly<KubeObject>) {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}

/** The reference that makes `owner` the controller of what it is put on. */
export function controllerReference(
  owner: DeepReadonly<KubeObject>,
  { kind, group, version }: Pick<Resource, 'kind' | 'group' | 'version'>,
) {
  return {
    apiVersion: group === '' ? version : `${group}/${version}`,
    kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}
