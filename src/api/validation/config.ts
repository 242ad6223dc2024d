// SPDX-License-Identifier: Apache-2.0
// Validation of the small core kinds: ConfigMaps, Secrets, Namespaces and Events.
import {
  checkDns1123Subdomain,
  checkQualifiedName,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  JsonSyntaxError,
  parseJson,
  required,
  semanticEqual,
  tooLong,
} from '../../machinery/mod.ts';
import type { ConfigMap, Event, Namespace, Secret } from '../generated/core/v1.ts';
import { immutableCauses, isStandardFinalizer, ODD_FINALIZER } from './object-meta.ts';
import { configKeyProblems, problems } from './rules.ts';

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

export function secretCauses({ metadata, data, type }: DeepReadonly<Secret>): FieldCause[] {
  const causes: FieldCause[] = [];
  const path = field('data');
  let size = 0;
  for (const [key, value] of Object.entries(data ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))) {
    causes.push(...problems(configKeyProblems(key), path.key(key), key));
    size += Buffer.byteLength(value, 'base64');
  }
  if (size > LIMIT) causes.push(tooLong(path, LIMIT));
  const needs = (...keys: readonly string[]) => {
    for (const key of keys) if (data?.[key] === undefined) causes.push(required(path.key(key)));
  };
  switch (type) {
    case 'kubernetes.io/tls':
      needs('tls.crt', 'tls.key');
      break;
    case 'kubernetes.io/ssh-auth':
      if (!data?.['ssh-privatekey']) causes.push(required(path.key('ssh-privatekey')));
      break;
    case 'kubernetes.io/service-account-token':
      if (!metadata.annotations?.['kubernetes.io/service-account.name']) {
        causes.push(required(field('metadata', 'annotations').key('kubernetes.io/service-account.name')));
      }
      break;
    case 'kubernetes.io/basic-auth':
      if (data?.['username'] === undefined && data?.['password'] === undefined) needs('username', 'password');
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
  const problem = jsonObjectProblem(Buffer.from(value, 'base64').toString());
  return problem === undefined ? [] : [invalidValue(path, '<secret contents redacted>', problem)];
}

const GO_KINDS: Readonly<Record<string, string>> = { string: 'string', number: 'number', boolean: 'bool' };

/** What Go's decoder says of a text that is to be an object. `null` is one without fields. */
function jsonObjectProblem(text: string): string | undefined {
  try {
    const value = parseJson(text);
    const kind = Array.isArray(value) ? 'array' : GO_KINDS[typeof value];
    return kind && `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`;
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error.message;
    throw error;
  }
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
    return isStandardFinalizer(name) ? wrong : [...wrong, invalidValue(pathOf(index), name, ODD_FINALIZER)];
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

/** How long texts of Events may be, where they are checked. */
const EVENT_LIMITS = { reportingInstance: 128, action: 128, reason: 128, message: 1024 } as const;

/** Events of the old form are hardly checked; those with an `eventTime` are checked in full. */
export function eventCauses(event: DeepReadonly<Event>): FieldCause[] {
  const namespace = event.metadata.namespace ?? '';
  const of = event.involvedObject?.namespace ?? '';
  const isCluster = of === '' && (namespace === '' || namespace === 'default' || (Boolean(event.eventTime) && namespace === 'kube-system'));
  const isOdd = event.eventTime ? of === '' && !isCluster : namespace !== of && !isCluster;
  const causes = isOdd ? [invalidValue('involvedObject.namespace', of, 'does not match event.namespace')] : [];
  if (!event.eventTime) return [...causes, ...namespaceProblems(namespace)];
  const reporter = event.reportingComponent ?? '';
  if (reporter === '') causes.push(required('reportingController'));
  causes.push(...problems(checkQualifiedName(reporter), field('reportingController'), reporter));
  for (const [name, most] of Object.entries(EVENT_LIMITS) as [keyof typeof EVENT_LIMITS, number][]) {
    const text = event[name] ?? '';
    if (text === '' && name !== 'message') causes.push(required(name));
    if (Buffer.byteLength(text) > most) causes.push(invalidValue(name, '', `can have at most ${most} characters`));
  }
  return [...causes, ...namespaceProblems(namespace)];
}

const namespaceProblems = (namespace: string) => problems(checkDns1123Subdomain(namespace), field('namespace'), namespace);

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
