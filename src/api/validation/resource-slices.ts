// SPDX-License-Identifier: Apache-2.0
// Validation of ResourceSlices: whose devices they list, for which nodes, and each device. Capacities and counters are checked as
// far as their numbers go; their request policies are not. @source upstream pkg/apis/resource/validation validateResourceSliceSpec
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  invalidValue,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '../../machinery/mod.ts';
import type { Device, DeviceAttribute, DeviceTaint, ResourceSlice, ResourceSliceSpec } from '../generated/resource/v1.ts';
import { internalForm } from './difference.ts';
import { immutableCauses } from './object-meta.ts';
import { nodeSelectorCauses } from './pod-affinity.ts';
import { isSet, problems, sortedEntries } from './rules.ts';
import { csiDriverNameCauses } from './volume-sources.ts';

type Spec = DeepReadonly<ResourceSliceSpec>;
const SPEC = field('spec');
const [MOST_DEVICES, MOST_ADVANCED, MOST_FACTS, MOST_TAINTS, LONGEST_POOL, LONGEST_VALUE] = [128, 64, 32, 16, 253, 64];
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$/;

function poolCauses({ pool }: Spec): FieldCause[] {
  const { name = '', generation = 0, resourceSliceCount: count = 0 } = pool ?? {};
  const path = SPEC.child('pool');
  const at = path.child('name');
  const causes: FieldCause[] = [];
  if (name === '') causes.push(required(at));
  else {
    if (Buffer.byteLength(name) > LONGEST_POOL) causes.push(tooLong(at, LONGEST_POOL));
    for (const part of name.split('/')) causes.push(...problems(checkDns1123Subdomain(part), at, part));
  }
  if (count <= 0) causes.push(invalidValue(path.child('resourceSliceCount'), count, 'must be greater than zero'));
  if (generation < 0) causes.push(invalidValue(path.child('generation'), generation, 'must be greater than or equal to zero'));
  return causes;
}

interface Placed {
  readonly nodeName?: string;
  readonly nodeSelector?: Spec['nodeSelector'];
  readonly allNodes?: boolean;
  readonly perDeviceNodeSelection?: boolean;
}

const PLACES = ['nodeName', 'nodeSelector', 'allNodes', 'perDeviceNodeSelection'] as const;

/** Which nodes: told in exactly one way. */
function placeCauses(placed: Placed, path: FieldPath, one: string, several: string, emptyName: string): FieldCause[] {
  const causes: FieldCause[] = [];
  const used = PLACES.filter((name) => placed[name]);
  const { nodeName, nodeSelector } = placed;
  if (nodeName === '') causes.push(invalidValue(path.child('nodeName'), '', emptyName));
  else if (isSet(nodeName)) causes.push(...problems(checkDns1123Subdomain(nodeName), path.child('nodeName'), nodeName));
  causes.push(...nodeSelectorCauses(nodeSelector, path.child('nodeSelector')));
  for (const name of ['allNodes', 'perDeviceNodeSelection'] as const)
    if (placed[name] === false) causes.push(invalidValue(path.child(name), false, 'must be either unset or set to true'));
  if (used.length === 0) causes.push(required(path, one));
  else if (used.length > 1) causes.push(invalidValue(path, `{${used.map((name) => `\`${name}\``).join(', ')}}`, several));
  return causes;
}

function isAdvanced({ taints, consumesCounters, attributes }: DeepReadonly<Device>): boolean {
  const hasList = Object.values(attributes ?? {}).some(({ bools, ints, strings, versions }) => bools ?? ints ?? strings ?? versions);
  return (taints ?? []).length > 0 || (consumesCounters ?? []).length > 0 || hasList;
}

export function resourceSliceCauses({ spec }: DeepReadonly<ResourceSlice>): FieldCause[] {
  const causes = [...csiDriverNameCauses(spec.driver, SPEC.child('driver')), ...poolCauses(spec)];
  const one = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  const unset = 'must be either unset or set to a non-empty string';
  causes.push(...placeCauses(spec as Placed, SPEC, one, `${one}, but multiple fields are set`, unset));
  if (spec.nodeSelector && spec.nodeSelector.nodeSelectorTerms.length > 1) {
    const at = SPEC.child('nodeSelector', 'nodeSelectorTerms');
    causes.push(invalidValue(at, internalForm(spec.nodeSelector.nodeSelectorTerms), 'must have exactly one node selector term'));
  }
  if (spec.sharedCounters && spec.devices) causes.push(invalidValue(SPEC, '', 'only one of `sharedCounters` or `devices` is allowed'));
  const devices = spec.devices ?? [];
  const most = devices.some(isAdvanced) ? MOST_ADVANCED : MOST_DEVICES;
  if (devices.length > most) causes.push(tooMany(SPEC.child('devices'), devices.length, most));
  const names = new Set<string>();
  for (const [index, device] of devices.entries()) {
    const at = SPEC.child('devices').index(index);
    causes.push(...deviceCauses(device, spec.perDeviceNodeSelection === true, at));
    if (names.has(device.name)) causes.push(duplicateValue(at, device.name));
    names.add(device.name);
  }
  return causes;
}

function deviceCauses(device: DeepReadonly<Device>, isPlaced: boolean, path: FieldPath): FieldCause[] {
  const causes = problems(checkDns1123Label(device.name ?? ''), path.child('name'), device.name ?? '');
  const facts = Object.keys(device.attributes ?? {}).length + Object.keys(device.capacity ?? {}).length;
  if (facts > MOST_FACTS)
    causes.push(invalidValue(path, facts, `the total number of attributes and capacities must not exceed ${MOST_FACTS}`));
  for (const [name, attribute] of sortedEntries(device.attributes))
    causes.push(...attributeCauses(attribute, path.child('attributes').key(name)));
  const taints = device.taints ?? [];
  if (taints.length > MOST_TAINTS) causes.push(tooMany(path.child('taints'), taints.length, MOST_TAINTS));
  for (const [index, taint] of taints.entries()) causes.push(...taintCauses(taint, path.child('taints').index(index)));
  const one =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (isPlaced) return [...causes, ...placeCauses(device as Placed, path, one, one, 'must not be empty')];
  if (!isSet(device.nodeName) && !isSet(device.nodeSelector) && !isSet(device.allNodes)) return causes;
  const why =
    '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  return [...causes, invalidValue(path, null, why)];
}

function attributeCauses(attribute: DeepReadonly<DeviceAttribute>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const text = (value: string, at: FieldPath, isVersion: boolean) => {
    if (isVersion && !SEMVER.test(value)) causes.push(invalidValue(at, value, 'must be a string compatible with semver.org spec 2.0.0'));
    if (Buffer.byteLength(value) > LONGEST_VALUE) causes.push(tooLong(at, LONGEST_VALUE));
  };
  if (isSet(attribute.string)) text(attribute.string, path.child('string'), false);
  if (isSet(attribute.version)) text(attribute.version, path.child('version'), true);
  for (const [index, value] of (attribute.strings ?? []).entries()) text(value, path.child('strings').index(index), false);
  for (const [index, value] of (attribute.versions ?? []).entries()) text(value, path.child('versions').index(index), true);
  const count = Object.values(attribute).filter(isSet).length;
  return count === 1 ? causes : [...causes, invalidValue(path, count === 0 ? '' : attribute, 'exactly one value must be specified')];
}

function taintCauses({ key, value = '', effect }: DeepReadonly<DeviceTaint>, path: FieldPath): FieldCause[] {
  const at = path.child('effect');
  const effects = ['NoExecute', 'NoSchedule', 'None'];
  const causes = [
    ...problems(checkQualifiedName(key ?? ''), path.child('key'), key ?? ''),
    ...problems(checkLabelValue(value), path.child('value'), value),
  ];
  if (!effect) return [...causes, required(at)];
  return effects.includes(effect) ? causes : [...causes, notSupported(at, effect, effects)];
}

export function resourceSliceUpdateCauses(next: DeepReadonly<ResourceSlice>, previous: DeepReadonly<ResourceSlice>): FieldCause[] {
  return [
    ...immutableCauses(next.spec.pool?.name, previous.spec.pool?.name, SPEC.child('pool', 'name')),
    ...immutableCauses(next.spec.driver, previous.spec.driver, SPEC.child('driver')),
    ...immutableCauses(next.spec.nodeName, previous.spec.nodeName, SPEC.child('nodeName')),
    ...resourceSliceCauses(next),
  ];
}
