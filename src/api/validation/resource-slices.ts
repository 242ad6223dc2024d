// SPDX-License-Identifier: Apache-2.0
// Validation of ResourceSlices: whose devices they list, for which nodes, and each device with its
// attributes, capacities, taints and counters. @source upstream pkg/apis/resource/validation validateResourceSliceSpec
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  field,
  invalidValue,
  notSupported,
  required,
  semanticEqual,
  tooLong,
} from '../../machinery/mod.ts';
import type { Device, DeviceAttribute, DeviceTaint, ResourceSlice, ResourceSliceSpec } from '../generated/resource/v1.ts';
import { internalForm } from './difference.ts';
import { immutableCauses } from './object-meta.ts';
import { nodeSelectorCauses } from './pod-affinity.ts';
import { capacityCauses } from './resource-capacity.ts';
import {
  attributeNameCauses,
  bindingCauses,
  LONGEST_ATTRIBUTE,
  listCauses,
  mapCauses,
  poolNameCauses,
  setCauses,
} from './resource-names.ts';
import { isSet, problems } from './rules.ts';
import { csiDriverNameCauses } from './volume-sources.ts';

type Spec = DeepReadonly<ResourceSliceSpec>;
const SPEC = field('spec');
const [MOST_DEVICES, MOST_ADVANCED, MOST_FACTS, MOST_TAINTS, LONGEST_VALUE, LONGEST_LABEL] = [128, 64, 32, 16, 64, 63];
const [MOST_SETS, MOST_COUNTERS, MOST_CONSUMED] = [8, 32, 2];
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$/;

function poolCauses({ pool }: Spec): FieldCause[] {
  const { name, generation = 0, resourceSliceCount: count = 0 } = pool ?? {};
  const path = SPEC.child('pool');
  const causes = poolNameCauses(name, path.child('name'));
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

export function resourceSliceCauses({ spec }: DeepReadonly<ResourceSlice>, previous?: DeepReadonly<ResourceSlice>): FieldCause[] {
  const old = previous?.spec;
  const causes = [...csiDriverNameCauses(spec.driver, SPEC.child('driver')), ...poolCauses(spec), ...keptCauses(spec, old)];
  const one = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  const unset = 'must be either unset or set to a non-empty string';
  causes.push(...placeCauses(spec as Placed, SPEC, one, `${one}, but multiple fields are set`, unset));
  if (spec.nodeSelector && (spec.nodeSelector.nodeSelectorTerms ?? []).length !== 1) {
    const at = SPEC.child('nodeSelector', 'nodeSelectorTerms');
    causes.push(invalidValue(at, internalForm(spec.nodeSelector.nodeSelectorTerms), 'must have exactly one node selector term'));
  }
  if (spec.sharedCounters && spec.devices) causes.push(invalidValue(SPEC, '', 'only one of `sharedCounters` or `devices` is allowed'));
  const most = (spec.devices ?? []).some(isAdvanced) ? MOST_ADVANCED : MOST_DEVICES;
  const isPlaced = spec.perDeviceNodeSelection === true;
  const before = new Map((old?.devices ?? []).map((device) => [device.name, device]));
  causes.push(
    ...setCauses(spec.devices, most, SPEC.child('devices'), {
      rule: (device, at) => deviceCauses(device, at, { isPlaced, old: before.get(device.name) }),
      keyOf: ({ name }) => name,
    }),
  );
  return [
    ...causes,
    ...setCauses(spec.sharedCounters, MOST_SETS, SPEC.child('sharedCounters'), {
      rule: ({ name, counters }, at) => counterSetCauses({ name, counters, named: at.child('name') }, at),
      keyOf: ({ name }) => name,
    }),
  ];
}

function keptCauses(spec: Spec, old: Spec | undefined): FieldCause[] {
  if (old === undefined) return [];
  return [
    ...immutableCauses(spec.pool?.name, old.pool?.name, SPEC.child('pool', 'name')),
    ...immutableCauses(spec.driver, old.driver, SPEC.child('driver')),
    ...immutableCauses(spec.nodeName, old.nodeName, SPEC.child('nodeName')),
  ];
}

interface CounterSet {
  readonly name: string;
  readonly counters: Readonly<Record<string, unknown>> | undefined;
  /** Where the name is. */
  readonly named: FieldPath;
}

/** Counters that devices share, or that a device takes of a set. */
function counterSetCauses({ name, counters, named }: CounterSet, path: FieldPath): FieldCause[] {
  const label = (text: string, at: FieldPath) => problems(checkDns1123Label(text), at, text);
  const causes = name ? label(name, named) : [required(named)];
  const at = path.child('counters');
  if (Object.keys(counters ?? {}).length === 0) return [...causes, required(at)];
  return [...causes, ...mapCauses(counters, at, { most: MOST_COUNTERS, key: label, value: () => [], shown: LONGEST_LABEL })];
}

interface DeviceContext {
  readonly isPlaced: boolean;
  /** The device as it was. */
  readonly old: DeepReadonly<Device> | undefined;
}

function deviceCauses(device: DeepReadonly<Device>, path: FieldPath, { isPlaced, old }: DeviceContext): FieldCause[] {
  const causes = problems(checkDns1123Label(device.name ?? ''), path.child('name'), device.name ?? '');
  const facts = Object.keys(device.attributes ?? {}).length + Object.keys(device.capacity ?? {}).length;
  if (facts > MOST_FACTS)
    causes.push(invalidValue(path, facts, `the total number of attributes and capacities must not exceed ${MOST_FACTS}`));
  const named = { key: attributeNameCauses, shown: LONGEST_ATTRIBUTE };
  const isShared = device.allowMultipleAllocations === true;
  causes.push(
    ...mapCauses(device.attributes, path.child('attributes'), { ...named, value: attributeCauses }),
    ...mapCauses(device.capacity, path.child('capacity'), { ...named, value: (it, at) => capacityCauses(it, at, isShared) }),
  );
  if (old === undefined || !semanticEqual(old.taints, device.taints))
    causes.push(...listCauses(device.taints, MOST_TAINTS, path.child('taints'), taintCauses));
  causes.push(
    ...setCauses(device.consumesCounters, MOST_CONSUMED, path.child('consumesCounters'), {
      rule: ({ counterSet: name, counters }, at) => counterSetCauses({ name, counters, named: at.child('counterSet') }, at),
      keyOf: ({ counterSet }) => counterSet,
    }),
  );
  return [...causes, ...devicePlaceCauses(device, path, isPlaced), ...bindingCauses(device, path)];
}

function devicePlaceCauses(device: DeepReadonly<Device>, path: FieldPath, isPlaced: boolean): FieldCause[] {
  const one =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  if (isPlaced) return placeCauses(device as Placed, path, one, one, 'must not be empty');
  if (!isSet(device.nodeName) && !isSet(device.nodeSelector) && !isSet(device.allNodes)) return [];
  const why =
    '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  return [invalidValue(path, null, why)];
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

export const resourceSliceUpdateCauses = (next: DeepReadonly<ResourceSlice>, previous: DeepReadonly<ResourceSlice>) =>
  resourceSliceCauses(next, previous);
