// SPDX-License-Identifier: Apache-2.0
// The strategy of every resource. Most are the usual one with a trait or two; those with rules of their own have a file.
import * as api from '#api';
import { RESOURCES } from '#api';
import type { APIService } from '#api/apiregistration/v1';
import type { ReplicaSet } from '#api/apps/v1';
import type { EndpointSlice } from '#api/discovery/v1';
import { formatTime, type Metrics } from '#component';
import { checkDns1123Subdomain, type DeepReadonly, forbidden, type Resource, semanticEqual } from '#machinery';
import { definitionStrategy } from '../crd/definition-strategy.ts';
import { RuleEngine } from '../crd/rule-engine.ts';
import { AllocationMetrics } from '../metrics/allocation-metrics.ts';
import { namespaceStrategy } from './core/namespaces.ts';
import {
  eventStrategy,
  nodeStrategy,
  persistentVolumeClaimStrategy,
  persistentVolumeStrategy,
  replicationControllerStrategy,
  secretStrategy,
  serviceAccountStrategy,
} from './core/others.ts';
import { podStrategy } from './core/pods.ts';
import { serviceStrategy } from './core/services.ts';
import { defaultStrategy, keepGeneration, type StrategyTraits } from './default-strategy.ts';
import { flowControlStrategy } from './flowcontrol/mandatory.ts';
import { admissionPolicyStrategy } from './policy/admission-policies.ts';
import { certificateSigningRequestStrategy } from './policy/certificates.ts';
import { deviceSelectorStrategy } from './policy/device-selectors.ts';
import { webhookConfigurationStrategy } from './policy/webhook-configurations.ts';
import type { AddressBook } from './service-addresses/address-allocator.ts';
import { ServiceAllocator } from './service-allocation.ts';
import type { MutableObject, ObjectReader, RequestScope, Strategy } from './strategy.ts';
import { jobStrategy } from './workloads/jobs.ts';

export interface StrategiesOptions {
  /** `10.96.0.0/16`, or two of different families joined by a comma. */
  readonly serviceClusterIpRange: string;
  /** `30000-32767` */
  readonly serviceNodePortRange: string;
  readonly reader: ObjectReader;
  readonly addresses: AddressBook;
  /** A whole number below the bound; `randomInt` outside of tests. */
  readonly pick: (below: number) => number;
  /** Compiles the rules of definitions. */
  readonly rules?: RuleEngine;
  /** Where allocations are counted. */
  readonly metrics: Metrics;
}

export interface Strategies {
  /** The strategy of a built-in resource that has storage. @throws {RangeError} If it has none (reviews, bindings). */
  strategyOf(resource: Resource): Strategy;
}

const keyOf = (of: { group: string; resource: string }) => `${of.group}/${of.resource}`;

const withGeneration: StrategyTraits = { generation: true };
/** A PUT must name the version it is based on. */
const strictGeneration: StrategyTraits = { generation: true, allowUnconditionalUpdate: false };
const metaKept: StrategyTraits = { generation: true, statusKeepsMetadata: true };
const createOnUpdate: StrategyTraits = { allowCreateOnUpdate: true };
const as = <T>(object: unknown) => object as T;

/** Traits of resources that need no file of their own. */
const TRAITS: readonly (readonly [Resource, StrategyTraits])[] = [
  [api.endpoints, createOnUpdate],
  [api.limitranges, createOnUpdate],
  [api.podtemplates, withGeneration],
  [api.deployments, { generation: true, statusKeepsLabels: true, afterKeepGeneration: raiseForAnnotations }],
  [
    api.replicasets,
    {
      generation: true,
      initialStatus: () => ({ replicas: 0 }),
      selectableFields: ['status.replicas'],
      fieldValue: (object, name) => (name === 'status.replicas' ? String(as<ReplicaSet>(object).status?.replicas ?? 0) : undefined),
    },
  ],
  [api.statefulsets, { generation: true, initialStatus: () => ({ replicas: 0, availableReplicas: 0 }) }],
  [
    api.daemonsets,
    {
      generation: true,
      afterPrepareForCreate: firstTemplateGeneration,
      afterPrepareForUpdate: keepTemplateGeneration,
    },
  ],
  [api.cronjobs, withGeneration],
  [api.ingresses, { generation: true, initialStatus: () => ({ loadBalancer: {} }) }],
  [api.ingressclasses, withGeneration],
  [api.networkpolicies, withGeneration],
  [api.poddisruptionbudgets, strictGeneration],
  [
    api.endpointslices,
    {
      generation: true,
      afterPrepareForCreate: (object) => dropTopology(object, undefined),
      afterKeepGeneration(next, previous) {
        raiseForLabels(next, previous);
        dropTopology(next, previous);
      },
    },
  ],
  [api.priorityclasses, { afterPrepareForCreate: firstGeneration, refuseDelete: refuseSystemPriority }],
  [api.validatingadmissionpolicybindings, { generation: true, allowUnconditionalUpdate: false }],
  [api.mutatingadmissionpolicybindings, { generation: true, allowUnconditionalUpdate: false }],
  [
    api.apiservices,
    {
      allowUnconditionalUpdate: false,
      statusKeepsMetadata: true,
      selectableFields: [],
      afterPrepareForCreate(object) {
        // An APIService without a service is the server's own, and available.
        if (as<APIService>(object).spec.service === undefined) as<APIService>(object).status = { conditions: [localAvailable()] };
      },
    },
  ],
  [
    api.resourceslices,
    {
      generation: true,
      selectableFields: ['spec.nodeName', 'spec.driver'],
      fieldValue: resourceSliceField,
      afterPrepareForCreate: stampTaints,
      afterPrepareForUpdate: (next, _previous, scope) => stampTaints(next, scope),
    },
  ],
  [
    api.leases,
    {
      allowCreateOnUpdate: true,
      allowUnconditionalUpdate: false,
      afterPrepareForCreate: dropCoordination,
      afterPrepareForUpdate: dropCoordination,
    },
  ],
  [api.runtimeclasses, { allowUnconditionalUpdate: false }],
  [api.csinodes, { allowUnconditionalUpdate: false }],
  [api.csistoragecapacities, { allowUnconditionalUpdate: false }],
  [api.volumeattachments, { allowUnconditionalUpdate: false, statusKeepsMetadata: true }],
  [api.servicecidrs, { statusKeepsMetadata: true, statusResetFields: ['spec'] }],
  [api.csidrivers, { allowUnconditionalUpdate: false, afterPrepareForUpdate: (next, previous) => keepGeneration(next, previous) }],
  [api.clusterroles, createOnUpdate],
  [api.clusterrolebindings, createOnUpdate],
  [api.roles, createOnUpdate],
  [api.rolebindings, createOnUpdate],
];

/** The spec of a PriorityClass cannot change, and its generation does not. */
function firstGeneration(object: MutableObject): void {
  object.metadata.generation = 1;
}

/** The deployment controller reads annotations (revision), so that a change of them counts. */
function raiseForAnnotations(next: MutableObject, previous: DeepReadonly<MutableObject>): void {
  const before = previous.metadata.generation ?? 0;
  if (next.metadata.generation === before && !semanticEqual(next.metadata.annotations, previous.metadata.annotations)) {
    next.metadata.generation = before + 1;
  }
}

/** Consumers select EndpointSlices by their labels, so that a change of them counts. */
function raiseForLabels(next: MutableObject, previous: DeepReadonly<MutableObject>): void {
  const before = previous.metadata.generation ?? 0;
  const isSame = semanticEqual(next.metadata.labels, previous.metadata.labels);
  if ((next.metadata.generation ?? 0) === before && !isSame) next.metadata.generation = before + 1;
}

const HOSTNAME = 'kubernetes.io/hostname';

/**
 * Where an endpoint is was once told by labels. Changed endpoints lose them; the name of the node, if it was told so before, stays.
 *
 * @source upstream pkg/registry/discovery/endpointslice dropTopologyOnV1
 */
function dropTopology(next: MutableObject, previous: DeepReadonly<MutableObject> | undefined): void {
  const { endpoints } = as<EndpointSlice>(next);
  const before = as<DeepReadonly<EndpointSlice> | undefined>(previous)?.endpoints;
  if (before !== undefined && semanticEqual(endpoints, before)) return;
  for (const endpoint of endpoints ?? []) {
    const node = endpoint.deprecatedTopology?.[HOSTNAME];
    const isKnown = Boolean(node) && before?.some(({ deprecatedTopology }) => deprecatedTopology?.[HOSTNAME] === node) === true;
    if (isKnown && node !== undefined && checkDns1123Subdomain(node).length === 0) endpoint.nodeName ??= node;
    delete endpoint.deprecatedTopology;
  }
}

const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

function setTemplateGeneration(object: MutableObject, value: string): void {
  object.metadata.annotations = { ...object.metadata.annotations, [TEMPLATE_GENERATION]: value };
}

/** From 1, unless the creator begins with more. */
function firstTemplateGeneration(object: MutableObject): void {
  const given = Number(object.metadata.annotations?.[TEMPLATE_GENERATION] ?? '0');
  setTemplateGeneration(object, Number.isSafeInteger(given) && given >= 1 ? String(given) : '1');
}

/** One more with each change of the template; clients cannot set it. */
function keepTemplateGeneration(next: MutableObject, previous: DeepReadonly<MutableObject>): void {
  const before = Number(previous.metadata.annotations?.[TEMPLATE_GENERATION] ?? '0');
  const template = (object: unknown) => as<{ spec: { template: unknown } }>(object).spec.template;
  setTemplateGeneration(next, String(semanticEqual(template(next), template(previous)) ? before : before + 1));
}

/** CoordinatedLeaderElection is off by default: its fields leave no trace. */
function dropCoordination(object: MutableObject): void {
  const { spec } = as<{ spec?: { strategy?: string; preferredHolder?: string } }>(object);
  if (spec === undefined) return;
  delete spec.strategy;
  delete spec.preferredHolder;
}

const SYSTEM_PRIORITIES = new Set(['system-node-critical', 'system-cluster-critical']);

function refuseSystemPriority(object: DeepReadonly<MutableObject>) {
  const name = object.metadata.name ?? '';
  return SYSTEM_PRIORITIES.has(name)
    ? forbidden(api.priorityclasses, name, 'this is a system priority class and cannot be deleted')
    : undefined;
}

/** A taint without a time was added now. */
function stampTaints(object: MutableObject, { now }: RequestScope): void {
  const { spec } = as<{ spec: { devices?: { taints?: { timeAdded?: string }[] }[] } }>(object);
  for (const taint of (spec.devices ?? []).flatMap(({ taints }) => taints ?? [])) taint.timeAdded ??= formatTime(now);
}

function resourceSliceField(object: unknown, name: string): string | undefined {
  const { spec } = as<{ spec: { nodeName?: string; driver: string } }>(object);
  return name === 'spec.nodeName' ? (spec.nodeName ?? '') : name === 'spec.driver' ? spec.driver : undefined;
}

function localAvailable() {
  return {
    type: 'Available' as const,
    status: 'True' as const,
    reason: 'Local',
    message: 'Local APIServices are always available',
    lastTransitionTime: `${new Date().toISOString().slice(0, 19)}Z`,
  };
}

/** Builds every strategy once. */
export function createStrategies(options: StrategiesOptions): Strategies {
  const [first = 0, last = 0] = options.serviceNodePortRange.split('-').map(Number);
  const serviceAllocator = new ServiceAllocator({
    ranges: options.serviceClusterIpRange.split(','),
    nodePorts: { first, last },
    addresses: options.addresses,
    reader: options.reader,
    pick: options.pick,
    metrics: new AllocationMetrics(options.metrics),
  });
  const rules = options.rules ?? new RuleEngine();
  const traits = new Map(TRAITS.map(([resource, trait]) => [keyOf(resource), trait]));
  const own = new Map<string, (resource: Resource) => Strategy>([
    [keyOf(api.pods), podStrategy],
    [keyOf(api.namespaces), namespaceStrategy],
    [keyOf(api.services), () => serviceStrategy(serviceAllocator)],
    [keyOf(api.events), eventStrategy],
    ['events.k8s.io/events', eventStrategy],
    [keyOf(api.nodes), nodeStrategy],
    [keyOf(api.secrets), secretStrategy],
    [keyOf(api.serviceaccounts), serviceAccountStrategy],
    [keyOf(api.persistentvolumes), persistentVolumeStrategy],
    [keyOf(api.persistentvolumeclaims), persistentVolumeClaimStrategy],
    [keyOf(api.replicationcontrollers), replicationControllerStrategy],
    [keyOf(api.jobs), jobStrategy],
    [keyOf(api.flowschemas), flowControlStrategy],
    [keyOf(api.prioritylevelconfigurations), flowControlStrategy],
    [keyOf(api.certificatesigningrequests), certificateSigningRequestStrategy],
    [keyOf(api.validatingwebhookconfigurations), (resource) => webhookConfigurationStrategy(resource, rules)],
    [keyOf(api.mutatingwebhookconfigurations), (resource) => webhookConfigurationStrategy(resource, rules)],
    [keyOf(api.validatingadmissionpolicies), (resource) => admissionPolicyStrategy(resource, metaKept, rules)],
    [keyOf(api.mutatingadmissionpolicies), (resource) => admissionPolicyStrategy(resource, {}, rules)],
    [keyOf(api.deviceclasses), (resource) => deviceSelectorStrategy(resource, withGeneration, rules)],
    [keyOf(api.resourceclaims), (resource) => deviceSelectorStrategy(resource, {}, rules)],
    [keyOf(api.resourceclaimtemplates), (resource) => deviceSelectorStrategy(resource, {}, rules)],
    [keyOf(api.customresourcedefinitions), (resource) => definitionStrategy(resource, rules)],
  ]);
  const strategies = new Map<string, Strategy>();
  for (const resource of RESOURCES) {
    if (!resource.verbs.includes('get') || resource.resource === 'componentstatuses') continue;
    const make = own.get(keyOf(resource)) ?? ((of: Resource) => defaultStrategy(of, traits.get(keyOf(of))));
    strategies.set(`${resource.version}/${keyOf(resource)}`, make(resource));
  }
  return {
    strategyOf(resource) {
      const found = strategies.get(`${resource.version}/${keyOf(resource)}`);
      if (found === undefined) throw new RangeError(`find the strategy of "${keyOf(resource)}": it is not stored`);
      return found;
    },
  };
}
