// SPDX-License-Identifier: Apache-2.0
// Validation of the small core kinds: ConfigMaps, Secrets, Namespaces, Nodes, Events, quotas and limit ranges.
import {
  checkLabelValue,
  checkQualifiedName,
  compareQuantity,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  findQuantity,
  forbiddenField,
  formatQuantity,
  invalidValue,
  required,
  semanticEqual,
  tooLong,
} from '../../machinery/mod.ts';
import type { ConfigMap, Event, LimitRange, LimitRangeItem, Namespace, Node, ResourceQuota, Secret } from '../generated/core/v1.ts';
import { internalForm } from './difference.ts';
import { cidrProblems } from './ip.ts';
import { IMMUTABLE, immutableCauses } from './object-meta.ts';
import { amountCauses, resourceNameCauses } from './pod-resources.ts';
import { configKeyProblems, enumCauses, problems, sortedEntries } from './rules.ts';

const LIMIT = 1024 * 1024;
const SPEC = field('spec');

export function configMapCauses({ data, binaryData }: DeepReadonly<ConfigMap>): FieldCause[] {
  const causes: FieldCause[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(data ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    causes.push(...problems(configKeyProblems(key), field('data').key(key), key));
    if (binaryData && Object.hasOwn(binaryData, key))
      causes.push(invalidValue(field('data').key(key), key, 'duplicate of key present in binaryData'));
    size += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(binaryData ?? {})) {
    causes.push(...problems(configKeyProblems(key), field('binaryData').key(key), key));
    size += Buffer.byteLength(value, 'base64');
  }
  return size > LIMIT ? [...causes, tooLong('[]', LIMIT)] : causes;
}

const FROZEN = 'field is immutable when `immutable` is set';

export function configMapUpdateCauses(next: DeepReadonly<ConfigMap>, previous: DeepReadonly<ConfigMap>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (previous.immutable === true) {
    if (next.immutable !== true) causes.push(forbiddenField('immutable', FROZEN));
    if (!semanticEqual(next.data, previous.data)) causes.push(forbiddenField('data', FROZEN));
    if (!semanticEqual(next.binaryData, previous.binaryData)) causes.push(forbiddenField('binaryData', FROZEN));
  }
  return [...causes, ...configMapCauses(next)];
}

const NEEDS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
};

export function secretCauses({ metadata, data, type }: DeepReadonly<Secret>): FieldCause[] {
  const causes: FieldCause[] = [];
  const path = field('data');
  let size = 0;
  for (const [key, value] of Object.entries(data ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    causes.push(...problems(configKeyProblems(key), path.key(key), key));
    size += Buffer.byteLength(value, 'base64');
  }
  if (size > LIMIT) causes.push(tooLong(path, LIMIT));
  for (const key of NEEDS[type ?? ''] ?? []) if (data?.[key] === undefined) causes.push(required(path.key(key)));
  switch (type) {
    case 'kubernetes.io/service-account-token':
      if (!metadata.annotations?.['kubernetes.io/service-account.name']) {
        causes.push(required(field('metadata', 'annotations').key('kubernetes.io/service-account.name')));
      }
      break;
    case 'kubernetes.io/basic-auth':
      if (data?.['username'] === undefined && data?.['password'] === undefined)
        causes.push(required(path.key('username')), required(path.key('password')));
      break;
    case 'kubernetes.io/dockerconfigjson':
      causes.push(...jsonCauses(data, '.dockerconfigjson'));
      break;
    case 'kubernetes.io/dockercfg':
      causes.push(...jsonCauses(data, '.dockercfg'));
      break;
  }
  return causes;
}

function jsonCauses(data: Readonly<Record<string, string>> | undefined, key: string): FieldCause[] {
  const value = data?.[key];
  const path = field('data').key(key);
  if (value === undefined) return [required(path)];
  const text = Buffer.from(value, 'base64').toString();
  try {
    JSON.parse(text);
    return [];
  } catch {
    return [invalidValue(path, '<secret contents redacted>', goJsonError(text))];
  }
}

const LITERALS: Readonly<Record<string, string>> = { n: 'null', t: 'true', f: 'false' };

/** As Go's decoder complains about the first wrong character. */
function goJsonError(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '') return 'unexpected end of JSON input';
  const literal = LITERALS[trimmed[0] ?? ''];
  if (literal !== undefined) {
    for (let index = 1; index < literal.length; index++) {
      if (trimmed[index] === undefined) return 'unexpected end of JSON input';
      if (trimmed[index] !== literal[index]) {
        return `invalid character '${trimmed[index]}' in literal ${literal} (expecting '${literal[index]}')`;
      }
    }
  }
  if (!/^[\d"[{-]/.test(trimmed)) return `invalid character '${trimmed[0]}' looking for beginning of value`;
  return 'unexpected end of JSON input';
}

export function secretUpdateCauses(next: DeepReadonly<Secret>, previous: DeepReadonly<Secret>): FieldCause[] {
  const causes = immutableCauses(next.type, previous.type, field('type'));
  if (previous.immutable === true) {
    if (next.immutable !== true) causes.push(forbiddenField('immutable', FROZEN));
    if (!semanticEqual(next.data, previous.data)) causes.push(forbiddenField('data', FROZEN));
  }
  return [...causes, ...secretCauses(next)];
}

export const namespaceCauses = (namespace: DeepReadonly<Namespace>) => finalizerCauses(namespace, () => SPEC.child('finalizers'));
/** `finalize` says which of them is wrong. */
export const namespaceFinalizeCauses = (namespace: DeepReadonly<Namespace>) =>
  finalizerCauses(namespace, (index) => SPEC.child('finalizers').index(index));

function finalizerCauses({ spec }: DeepReadonly<Namespace>, pathOf: (index: number) => FieldPath): FieldCause[] {
  return (spec?.finalizers ?? []).flatMap((name, index) => {
    const wrong = problems(checkQualifiedName(name), pathOf(index), name);
    if (wrong.length > 0) return wrong;
    const known = name.includes('/') || ['kubernetes', 'orphan', 'foregroundDeletion'].includes(name);
    return known ? [] : [invalidValue(pathOf(index), name, 'name is neither a standard finalizer name nor is it fully qualified')];
  });
}

/** The phase follows from the deletion timestamp. The field is spelled as upstream spells it. */
export function namespaceStatusCauses({ metadata, status }: DeepReadonly<Namespace>): FieldCause[] {
  const path = field('status', 'Phase');
  const phase = status?.phase;
  if (metadata.deletionTimestamp === undefined) {
    return phase === 'Active' ? [] : [invalidValue(path, phase ?? '', "may only be 'Active' if `deletionTimestamp` is empty")];
  }
  return phase === 'Terminating' ? [] : [invalidValue(path, phase ?? '', "may only be 'Terminating' if `deletionTimestamp` is not empty")];
}

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function nodeCauses({ spec }: DeepReadonly<Node>): FieldCause[] {
  const causes: FieldCause[] = [];
  const path = field('metadata', 'taints');
  const seen = new Set<string>();
  for (const [index, taint] of (spec?.taints ?? []).entries()) {
    const at = path.index(index);
    causes.push(...problems(checkQualifiedName(taint.key), at.child('key'), taint.key));
    const wrong = checkLabelValue(taint.value ?? '');
    if (wrong.length > 0) causes.push(invalidValue(at.child('value'), taint.value, wrong.join(';')));
    causes.push(...enumCauses(taint.effect, EFFECTS, at.child('effect'), true));
    const key = `${taint.key}:${taint.effect}`;
    if (seen.has(key))
      causes.push({
        ...duplicateValue(at, internalForm(taint)),
        message: `Duplicate value: ${JSON.stringify(internalForm(taint))}: taints must be unique by key and effect pair`,
      });
    seen.add(key);
  }
  const cidrs = spec?.podCIDRs ?? [];
  for (const [index, cidr] of cidrs.entries()) causes.push(...problems(cidrProblems(cidr), SPEC.child('podCIDRs').index(index), cidr));
  if (cidrs.length > 1) {
    const families = new Set(cidrs.map((cidr) => cidr.includes(':')));
    if (cidrs.length > 2 || families.size < 2) {
      causes.push(invalidValue(SPEC.child('podCIDRs'), cidrs, 'may specify no more than one CIDR for each IP family'));
    }
  }
  return causes;
}

/** Each address of a node once. */
function addressCauses({ status }: DeepReadonly<Node>): FieldCause[] {
  const seen = new Set<string>();
  return (status?.addresses ?? []).flatMap(({ type, address }, index) => {
    const key = `${type}/${address}`;
    const isRepeated = seen.has(key);
    seen.add(key);
    return isRepeated ? [duplicateValue(field('status', 'addresses').index(index), internalForm({ type, address }))] : [];
  });
}

export function nodeUpdateCauses(next: DeepReadonly<Node>, previous: DeepReadonly<Node>): FieldCause[] {
  const causes = [...nodeCauses(next), ...addressCauses(next)];
  const [now, old] = [next.spec ?? {}, previous.spec ?? {}];
  if ((old.podCIDRs ?? []).length > 0 && !semanticEqual(now.podCIDRs, old.podCIDRs)) {
    causes.push(forbiddenField(SPEC.child('podCIDRs'), 'node updates may not change podCIDR except from "" to valid'));
  }
  if (old.providerID && now.providerID !== old.providerID) {
    causes.push(forbiddenField(SPEC.child('providerID'), 'node updates may not change providerID except from "" to valid'));
  }
  return causes;
}

/** How long texts of Events may be, where they are checked. */
const EVENT_LIMITS = { reportingInstance: 128, action: 128, reason: 128, message: 1024 } as const;

/** Events of the old form are hardly checked; those with an `eventTime` are checked in full. */
export function eventCauses(event: DeepReadonly<Event>): FieldCause[] {
  const namespace = event.metadata.namespace ?? '';
  const of = event.involvedObject?.namespace ?? '';
  const isCluster = of === '' && (namespace === 'default' || (Boolean(event.eventTime) && namespace === 'kube-system'));
  const isOdd = event.eventTime ? of === '' && !isCluster : namespace !== of && !isCluster;
  const causes = isOdd ? [invalidValue('involvedObject.namespace', of, 'does not match event.namespace')] : [];
  if (!event.eventTime) return causes;
  const reporter = event.reportingComponent ?? '';
  if (reporter === '') causes.push(required('reportingController'));
  causes.push(...problems(checkQualifiedName(reporter), field('reportingController'), reporter));
  for (const [name, most] of Object.entries(EVENT_LIMITS) as [keyof typeof EVENT_LIMITS, number][]) {
    const text = event[name] ?? '';
    if (text === '' && name !== 'message') causes.push(required(name));
    if (Buffer.byteLength(text) > most) causes.push(invalidValue(name, '', `can have at most ${most} characters`));
  }
  return causes;
}

/** Of events.k8s.io, in upstream's order; twice means twice. */
const EVENT_FROZEN = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'reason',
  'type',
  'eventTime',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
] as const;
const EVENT_NAMES: Readonly<Record<string, string>> = { reportingComponent: 'reportingController' };
/** What only the old API writes. */
const EVENT_OLD = ['firstTimestamp', 'lastTimestamp', 'count'] as const;

function eventSeriesCauses({ series }: DeepReadonly<Event>): FieldCause[] {
  if (!series) return [];
  const causes = (series.count ?? 0) < 2 ? [invalidValue('series.count', '', 'should be at least 2')] : [];
  return series.lastObservedTime ? causes : [...causes, required('series.lastObservedTime')];
}

/** An Event made through events.k8s.io, in its stored form. @source upstream pkg/apis/core/validation/events.go ValidateEventCreate */
export function newEventCauses(event: DeepReadonly<Event>): FieldCause[] {
  const causes = [...eventCauses(event), ...eventSeriesCauses(event)];
  if (!event.eventTime) causes.push(required('eventTime'));
  if (event.type !== 'Normal' && event.type !== 'Warning') causes.push(invalidValue('type', '', `has invalid value: ${event.type ?? ''}`));
  for (const name of EVENT_OLD) if (event[name]) causes.push(invalidValue(name, '', 'needs to be unset'));
  if (event.source?.component || event.source?.host) causes.push(invalidValue('source', '', 'needs to be unset'));
  return causes;
}

/** A text that is absent is an empty one. */
const orEmpty = (value: unknown, other: unknown) => value ?? (typeof other === 'string' ? '' : value);

export function newEventUpdateCauses(next: DeepReadonly<Event>, previous: DeepReadonly<Event>): FieldCause[] {
  const causes = eventCauses(next);
  if (!semanticEqual(next.series, previous.series)) causes.push(...eventSeriesCauses(next));
  return [
    ...causes,
    ...EVENT_FROZEN.flatMap((name) =>
      immutableCauses(orEmpty(next[name], previous[name]), orEmpty(previous[name], next[name]), field(EVENT_NAMES[name] ?? name)),
    ),
  ];
}

const QUOTA_STANDARD = new Set(
  'cpu memory ephemeral-storage requests.cpu requests.memory requests.storage requests.ephemeral-storage limits.cpu limits.memory limits.ephemeral-storage pods resourcequotas services replicationcontrollers secrets persistentvolumeclaims configmaps services.nodeports services.loadbalancers'.split(
    ' ',
  ),
);
const QUOTA_INTEGER = new Set(
  'pods resourcequotas services replicationcontrollers secrets configmaps persistentvolumeclaims services.nodeports services.loadbalancers'.split(
    ' ',
  ),
);
const SCOPES = [
  'Terminating',
  'NotTerminating',
  'BestEffort',
  'NotBestEffort',
  'PriorityClass',
  'CrossNamespacePodAffinity',
  'VolumeAttributesClass',
];
const COMPUTE = new Set('pods cpu memory requests.cpu requests.memory limits.cpu limits.memory'.split(' '));

function quotaNameCauses(name: string, path: FieldPath): FieldCause[] {
  const bare = name.startsWith('count/') ? name.slice('count/'.length) : name;
  const wrong = problems(checkQualifiedName(bare === '' ? name : name.startsWith('count/') ? bare : name), path, name);
  if (name === 'count/') return problems(checkQualifiedName(''), path, name);
  if (wrong.length > 0) return wrong;
  const causes = resourceNameCauses(name, path);
  if (!name.includes('/') && !QUOTA_STANDARD.has(name) && !/^(requests\.)?hugepages-/.test(name)) {
    causes.push(invalidValue(path, name, 'must be a standard resource for quota'));
  }
  return causes;
}

function isCountedIn(scope: string, name: string): boolean {
  if (scope === 'BestEffort') return name === 'pods';
  if (scope === 'VolumeAttributesClass') return !COMPUTE.has(name);
  return COMPUTE.has(name);
}

function quotaAmountCauses(name: string, value: string, path: FieldPath): FieldCause[] {
  const causes = amountCauses('', value, path);
  const quantity = findQuantity(String(value));
  const isWhole = QUOTA_INTEGER.has(name) || name.startsWith('count/');
  if (isWhole && quantity !== undefined && quantity.nanos % 1_000_000_000n !== 0n)
    causes.push(invalidValue(path, formatQuantity(quantity), 'must be an integer'));
  return causes;
}

export function resourceQuotaCauses({ spec }: DeepReadonly<ResourceQuota>): FieldCause[] {
  const causes: FieldCause[] = [];
  const hard = spec?.hard ?? {};
  for (const [name, value] of Object.entries(hard).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const at = SPEC.child('hard').key(name);
    causes.push(...quotaNameCauses(name, at), ...quotaAmountCauses(name, value, at));
  }
  const scopes = spec?.scopes ?? [];
  const path = SPEC.child('scopes');
  for (const scope of scopes) {
    if (!SCOPES.includes(scope)) causes.push(invalidValue(path, scopes, 'unsupported scope'));
    else if (Object.keys(hard).some((name) => QUOTA_STANDARD.has(name) && !isCountedIn(scope, name))) {
      causes.push(invalidValue(path, scopes, 'unsupported scope applied to resource'));
    }
  }
  for (const [a, b] of [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ] as const) {
    if (scopes.includes(a) && scopes.includes(b)) causes.push(invalidValue(path, scopes, 'conflicting scopes'));
  }
  return [...causes, ...scopeSelectorCauses(spec)];
}

function scopeSelectorCauses(spec: DeepReadonly<ResourceQuota>['spec']): FieldCause[] {
  const at = SPEC.child('scopeSelector', 'matchExpressions');
  return (spec?.scopeSelector?.matchExpressions ?? []).flatMap(({ scopeName, operator, values }) => {
    const causes: FieldCause[] = [];
    if (!SCOPES.includes(scopeName)) causes.push(invalidValue(at.child('scopeName'), scopeName, 'unsupported scope'));
    const isPlain = scopeName !== 'PriorityClass' && scopeName !== 'VolumeAttributesClass';
    if (!['In', 'NotIn', 'Exists', 'DoesNotExist'].includes(operator)) {
      causes.push(invalidValue(at.child('operator'), operator, 'not a valid selector operator'));
    } else if (isPlain && operator !== 'Exists') {
      const why =
        "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
      causes.push(invalidValue(at.child('operator'), operator, why));
    } else if ((operator === 'In' || operator === 'NotIn') && (values ?? []).length === 0) {
      causes.push(required(at.child('values'), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"));
    } else if ((operator === 'Exists' || operator === 'DoesNotExist') && (values ?? []).length > 0) {
      causes.push(
        invalidValue(at.child('values'), values, "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector"),
      );
    }
    return causes;
  });
}

export function resourceQuotaUpdateCauses(next: DeepReadonly<ResourceQuota>, previous: DeepReadonly<ResourceQuota>): FieldCause[] {
  const same = semanticEqual([...(next.spec?.scopes ?? [])].sort(), [...(previous.spec?.scopes ?? [])].sort());
  return [...resourceQuotaCauses(next), ...(same ? [] : [invalidValue(SPEC.child('scopes'), next.spec?.scopes, IMMUTABLE)])];
}

export function resourceQuotaStatusCauses({ metadata, status }: DeepReadonly<ResourceQuota>): FieldCause[] {
  const causes: FieldCause[] = metadata.resourceVersion ? [] : [required('resourceVersion')];
  for (const part of ['hard', 'used'] as const) {
    for (const [name, value] of sortedEntries(status?.[part])) {
      const at = field('status', part).key(name);
      causes.push(...quotaNameCauses(name, at), ...quotaAmountCauses(name, value, at));
    }
  }
  return causes;
}

const PARTS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

export function limitRangeCauses({ spec }: DeepReadonly<LimitRange>): FieldCause[] {
  const seen = new Set<string>();
  return (spec?.limits ?? []).flatMap((item, index) => {
    const at = SPEC.child('limits').index(index);
    const causes = problems(checkQualifiedName(item.type ?? ''), at.child('type'), item.type ?? '');
    if (item.type && !['Pod', 'Container', 'PersistentVolumeClaim'].includes(item.type) && !item.type.includes('/')) {
      causes.push(invalidValue(at.child('type'), item.type, 'must be a standard limit type or fully qualified'));
    }
    if (seen.has(item.type)) causes.push(duplicateValue(at.child('type'), item.type));
    seen.add(item.type);
    return [...causes, ...limitItemCauses(item, at)];
  });
}

function limitItemCauses(item: DeepReadonly<LimitRangeItem>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const isBox = item.type === 'Container';
  for (const name of PARTS) {
    for (const key of Object.keys(item[name] ?? {}).sort()) {
      const at = path.child(name).key(key);
      if (
        (item.type === 'Pod' || isBox) &&
        !key.includes('/') &&
        !['cpu', 'memory', 'ephemeral-storage'].includes(key) &&
        !key.startsWith('hugepages-')
      ) {
        causes.push(invalidValue(at, key, 'must be a standard resource for containers'));
      }
    }
  }
  if (item.type === 'Pod') {
    for (const name of ['default', 'defaultRequest'] as const) {
      if (Object.keys(item[name] ?? {}).length > 0)
        causes.push(forbiddenField(path.child(name), `may not be specified when \`type\` is 'Pod'`));
    }
  }
  if (item.type === 'PersistentVolumeClaim' && item.min?.['storage'] === undefined && item.max?.['storage'] === undefined) {
    causes.push(required(path.child('limits'), 'either minimum or maximum storage value is required, but neither was provided'));
  }
  const names = new Set(PARTS.flatMap((name) => Object.keys(item[name] ?? {})));
  return [...causes, ...[...names].sort().flatMap((name) => limitOrderCauses(item, name, path))];
}

function limitOrderCauses(item: DeepReadonly<LimitRangeItem>, name: string, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const text = (part: (typeof PARTS)[number]) => item[part]?.[name];
  const isMore = (a: string | undefined, b: string | undefined) => {
    const [x, y] = [a === undefined ? undefined : findQuantity(a), b === undefined ? undefined : findQuantity(b)];
    return x !== undefined && y !== undefined && compareQuantity(x, y) > 0;
  };
  const [max, min, limit, request, ratio] = PARTS.map(text);
  if (isMore(min, max)) causes.push(invalidValue(path.child('min').key(name), min, `min value ${min} is greater than max value ${max}`));
  if (isMore(min, request))
    causes.push(
      invalidValue(path.child('defaultRequest').key(name), request, `min value ${min} is greater than default request value ${request}`),
    );
  if (isMore(request, max))
    causes.push(
      invalidValue(path.child('defaultRequest').key(name), request, `default request value ${request} is greater than max value ${max}`),
    );
  if (isMore(request, limit))
    causes.push(
      invalidValue(
        path.child('defaultRequest').key(name),
        request,
        `default request value ${request} is greater than default limit value ${limit}`,
      ),
    );
  if (isMore(min, limit))
    causes.push(invalidValue(path.child('default').key(name), min, `min value ${min} is greater than default value ${limit}`));
  if (isMore(limit, max))
    causes.push(invalidValue(path.child('default').key(name), max, `default value ${limit} is greater than max value ${max}`));
  if (isMore('1', ratio)) causes.push(invalidValue(path.child('maxLimitRequestRatio').key(name), ratio, `ratio ${ratio} is less than 1`));
  const [most, least, asked] = [max, min, ratio].map((it) => (it === undefined ? undefined : findQuantity(it)));
  if (most !== undefined && least !== undefined && asked !== undefined && least.nanos > 0n) {
    const span = Number(most.nanos) / Number(least.nanos);
    if (Number(asked.nanos) / 1e9 > span) {
      causes.push(
        invalidValue(path.child('maxLimitRequestRatio').key(name), ratio, `ratio ${ratio} is greater than max/min = ${span.toFixed(6)}`),
      );
    }
  }
  return causes;
}
