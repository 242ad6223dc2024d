// SPDX-License-Identifier: Apache-2.0
// Binds the admission chain to requests: what a plugin is told of a request, and what plugins may ask of the server.
// RBAC's refusal of escalation runs with it, since it too needs the object as it will be stored.
import type { Client } from '#client';
import type { Clock } from '#component';
import { type DeepReadonly, decodeManagers, deepCopy, FieldSetError, type Resource } from '#machinery';
import type { AdmissionDeps, AdmissionOperation, AdmissionPlugin, AdmissionRequest } from './admission/admission.ts';
import type { PluginConfigurations } from './admission/admission-configuration.ts';
import { createAdmissionChain } from './admission/chain.ts';
import type { AuthorizerChoice } from './auth/authorization-configuration.ts';
import { decide } from './auth/authorizer.ts';
import { type EscalationDeps, refuseEscalation } from './auth/escalation.ts';
import type { AdmissionRunner } from './handlers/endpoint.ts';
import type { ReviewAdmission } from './handlers/reviews.ts';
import type { AdmissionMetrics } from './metrics/admission-metrics.ts';
import type { AdmissionCalls } from './registry/generic/generic-store.ts';
import type { ServedResource } from './registry/generic/served-resource.ts';
import type { MutableObject } from './registry/strategy.ts';
import type { RequestContext } from './request/context.ts';
import type { WebhookClientDeps } from './webhook-client/mod.ts';

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly authorizationModes: readonly AuthorizerChoice[];
  readonly enableAdmission: readonly string[];
  readonly disableAdmission: readonly string[];
  /** Of `--admission-control-config-file`. */
  readonly admissionConfigurations?: PluginConfigurations | undefined;
}

/** What is made elsewhere and runs in the chain. */
export interface AdmissionExtras {
  readonly plugins: readonly AdmissionPlugin[];
  readonly webhooks: WebhookClientDeps;
  readonly metrics?: AdmissionMetrics | undefined;
  /** Loads the expression library before an object with expressions is validated. */
  readonly expressions: { load(): Promise<void> };
  /** Custom resources by kind. */
  readonly findCustom?: AdmissionDeps['findCustom'];
}

/** The options object of a request, as webhooks and policies see it. */
function requestOptions(
  { query, info }: RequestContext,
  operation: Exclude<AdmissionOperation, 'CONNECT'>,
  given: object | undefined,
): object {
  const kind = operation === 'UPDATE' ? (info.verb === 'patch' ? 'PatchOptions' : 'UpdateOptions') : OPTION_KINDS[operation];
  const options: Record<string, unknown> = { ...given, kind, apiVersion: 'meta.k8s.io/v1' };
  if (query.has('dryRun')) options['dryRun'] = query.getAll('dryRun');
  for (const name of ['fieldManager', 'fieldValidation']) if (query.has(name)) options[name] = query.get(name);
  if (kind === 'PatchOptions' && query.has('force')) options['force'] = query.get('force') === 'true';
  return options;
}

const OPTION_KINDS = { CREATE: 'CreateOptions', DELETE: 'DeleteOptions' } as const;

/** What the plugins are told of every write of one request. */
interface RequestFacts {
  readonly context: RequestContext;
  readonly resource: Resource;
  /** Undefined for what is never stored. */
  readonly served: ServedResource | undefined;
  readonly operation: AdmissionOperation;
  readonly subresource: string;
  readonly dryRun: boolean;
  readonly name: string;
  readonly options: object | undefined;
}

/** A class, since accessors of object literals are made anew for each: 1 % of a create's time. */
class WriteRequest implements AdmissionRequest {
  readonly #facts: RequestFacts;
  readonly operation: AdmissionOperation;
  readonly resource: AdmissionRequest['resource'];
  readonly subresource: string;
  readonly namespace: string;
  name: string;
  readonly object: MutableObject | undefined;
  readonly oldObject: DeepReadonly<MutableObject> | undefined;
  readonly dryRun: boolean;
  readonly user: AdmissionRequest['user'];
  readonly served: ServedResource | undefined;
  reinvocation: AdmissionRequest['reinvocation'];

  constructor(facts: RequestFacts, object: MutableObject | undefined, oldObject: DeepReadonly<MutableObject> | undefined) {
    const { context, resource, served, operation, subresource, dryRun, name } = facts;
    this.#facts = facts;
    this.operation = operation === 'UPDATE' && oldObject === undefined ? 'CREATE' : operation;
    this.resource = resource;
    this.subresource = subresource;
    this.namespace = context.info.namespace;
    this.name = name === '' && served === undefined ? (object?.metadata?.name ?? '') : name;
    this.object = object;
    this.oldObject = oldObject;
    this.dryRun = dryRun;
    this.user = context.knownUser;
    this.served = served;
    this.reinvocation = undefined;
  }

  /** Made only if somebody asks, as annotations and options are: most writes concern no webhook. */
  get signal(): AbortSignal {
    return this.#facts.context.request.signal;
  }

  get deadline(): number | undefined {
    const { receivedAt, timeoutMs } = this.#facts.context;
    return timeoutMs === 0 ? undefined : receivedAt + timeoutMs;
  }

  get annotate(): AdmissionRequest['annotate'] {
    const { audit } = this.#facts.context;
    return audit === undefined ? undefined : (key, value, level) => audit.annotate(key, value, level);
  }

  options(): object | undefined {
    const { context, operation, options } = this.#facts;
    return operation === 'CONNECT' ? undefined : requestOptions(context, operation, options);
  }

  warn(text: string): void {
    this.#facts.context.warn(text);
  }
}

function depsOf(
  { clock, enableAdmission, disableAdmission }: AdmissionOptions,
  { reader, authorizer }: EscalationDeps,
  client: Client,
): AdmissionDeps {
  return {
    reader,
    now: () => clock.now(),
    enabled: enableAdmission,
    disabled: disableAdmission,
    update: async (resource, object, subresource) => {
      await client.update(resource, deepCopy(object) as never, { subresource });
    },
    create: async (resource, object) => {
      await client.create(resource, object as never);
    },
    authorize: async (user, check) => (await decide(authorizer, { user, isResource: true, path: '', ...check })).verdict === 'allow',
  };
}

/** @param client Acts as the server itself. */
export function createAdmissionRunner(
  options: AdmissionOptions,
  escalation: EscalationDeps,
  client: Client,
  extras: AdmissionExtras,
): AdmissionRunner & ReviewAdmission {
  const isGrant = ({ group }: Resource) => group === 'rbac.authorization.k8s.io' && options.authorizationModes.includes('RBAC');
  const chain = createAdmissionChain({
    enabled: options.enableAdmission,
    disabled: options.disableAdmission,
    configurations: options.admissionConfigurations,
    clock: options.clock,
    webhooks: extras.webhooks,
    metrics: extras.metrics,
    extra: extras.plugins,
  });
  const deps: AdmissionDeps = { ...depsOf(options, escalation, client), findCustom: extras.findCustom };
  /** @throws {ApiError} Where a user grants what they have not. */
  const guardGrants = (
    { context, resource }: RequestFacts,
    object: MutableObject | undefined,
    previous: DeepReadonly<MutableObject> | undefined,
  ) => {
    if (object === undefined || !isGrant(resource)) return;
    const { knownUser: user, info } = context;
    refuseEscalation({ user, resource, namespace: info.namespace, object, previous }, escalation);
  };
  const callsOf = (facts: RequestFacts): AdmissionCalls => ({
    mutate(object, previous) {
      const owners = object?.metadata?.managedFields;
      const run = () => chain.runMutating(new WriteRequest(facts, object, previous), deps);
      const finish = () => {
        if (object?.metadata !== undefined && object.metadata.managedFields !== owners) guardOwners(object, owners, facts.context);
        guardGrants(facts, object, previous);
      };
      const done = hasExpressions(facts.resource) ? extras.expressions.load().then(run) : run();
      if (done !== undefined) return done.then(finish);
      finish();
    },
    validate(object, previous) {
      const request = new WriteRequest(facts, object, previous);
      // By now a generated name is known.
      if (request.name === '' && object !== undefined) request.name = object.metadata?.name ?? '';
      return chain.runValidating(request, deps);
    },
  });
  return {
    callsFor(context, served, operation: AdmissionOperation, subresource, dryRun, name, given) {
      return callsOf({ context, resource: served.resource, served, operation, subresource, dryRun, name, options: given });
    },
    callsForReview(context, resource, dryRun) {
      return callsOf({ context, resource, served: undefined, operation: 'CREATE', subresource: '', dryRun, name: '', options: undefined });
    },
  };
}

const INVALID_OWNERS =
  '.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests';

/** Puts the owners of fields back that a webhook or policy has made unreadable. @source upstream handlers/fieldmanager/admission.go */
function guardOwners({ metadata }: MutableObject, before: MutableObject['metadata']['managedFields'], context: RequestContext): void {
  try {
    decodeManagers(metadata.managedFields);
  } catch (error) {
    if (!(error instanceof FieldSetError)) throw error;
    if (before === undefined) delete metadata.managedFields;
    else metadata.managedFields = before;
    context.warn(`${INVALID_OWNERS}: ${error.message}`);
  }
}

/** Whether objects of a resource carry CEL expressions that are compiled when they are written. */
function hasExpressions({ group, resource }: Resource): boolean {
  return group === 'admissionregistration.k8s.io' || (group === 'resource.k8s.io' && resource !== 'resourceslices');
}
