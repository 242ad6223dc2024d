// SPDX-License-Identifier: Apache-2.0
// Validation of what became of a ResourceClaim: who has reserved it, which devices it got, what their drivers say of them. @source upstream pkg/apis/resource/validation validateResourceClaimStatusUpdate
import {
  checkDns1123Label,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '../../machinery/mod.ts';
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  DeviceAllocationConfiguration,
  DeviceRequestAllocationResult,
  ResourceClaim,
} from '../generated/resource/v1.ts';
import { conditionListCauses } from './conditions.ts';
import { interfaceCauses } from './ip.ts';
import { immutableCauses } from './object-meta.ts';
import { nodeSelectorCauses } from './pod-affinity.ts';
import { namesOf, type RequestNames, referenceCauses, referenceListCauses } from './resource.ts';
import {
  bindingCauses,
  configurationCauses,
  listCauses,
  poolNameCauses,
  rawObjectCauses,
  setCauses,
  uuidCauses,
} from './resource-names.ts';
import { isSet, problems } from './rules.ts';
import { csiDriverNameCauses } from './volume-sources.ts';

const STATUS = field('status');
const [MOST_CONSUMERS, MOST_RESULTS, MOST_CONFIGS, MOST_CONDITIONS, MOST_ADDRESSES] = [256, 32, 64, 8, 16];
const [LONGEST_INTERFACE, LONGEST_HARDWARE] = [256, 128];
const SOURCES = ['FromClaim', 'FromClass'];

export function resourceClaimStatusCauses(next: DeepReadonly<ResourceClaim>, previous: DeepReadonly<ResourceClaim>): FieldCause[] {
  const { reservedFor = [], allocation, devices } = next.status ?? {};
  const path = STATUS.child('reservedFor');
  const needed = ['resource', 'name', 'uid'] as const;
  const causes = setCauses(reservedFor, MOST_CONSUMERS, path, {
    rule: (it, at) => needed.filter((name) => !it[name]).map((name) => required(at.child(name))),
    keyOf: ({ uid }) => uid,
  });
  causes.push(...deviceListCauses(devices, allocation));
  const had = previous.status?.reservedFor ?? [];
  if (reservedFor.length > 0 && !allocation) causes.push(forbiddenField(path, 'may not be specified when `allocated` is not set'));
  else if (next.metadata.deletionTimestamp && reservedFor.some(({ uid }) => !had.some((it) => it.uid === uid))) {
    const why = 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set';
    causes.push(forbiddenField(path, why));
  }
  const [at, before] = [STATUS.child('allocation'), previous.status?.allocation];
  if (before && allocation) return [...causes, ...immutableCauses(allocation, before, at)];
  return allocation ? [...causes, ...allocationCauses(allocation, at, namesOf(next.spec?.devices))] : causes;
}

function allocationCauses({ devices, nodeSelector }: DeepReadonly<AllocationResult>, path: FieldPath, names: RequestNames): FieldCause[] {
  const at = path.child('devices');
  return [
    ...listCauses(devices?.results, MOST_RESULTS, at.child('results'), (it, here) => resultCauses(it, here, names)),
    ...listCauses(devices?.config, MOST_CONFIGS, at.child('config'), (it, here) => configCauses(it, here, names)),
    ...nodeSelectorCauses(nodeSelector, path.child('nodeSelector')),
  ];
}

function resultCauses(result: DeepReadonly<DeviceRequestAllocationResult>, path: FieldPath, names: RequestNames): FieldCause[] {
  return [
    ...referenceCauses(result.request ?? '', path.child('request'), names),
    ...csiDriverNameCauses(result.driver, path.child('driver')),
    ...poolNameCauses(result.pool, path.child('pool')),
    ...problems(checkDns1123Label(result.device ?? ''), path.child('device'), result.device ?? ''),
    ...bindingCauses(result, path),
    ...uuidCauses(result.shareID, path.child('shareID')),
  ];
}

function configCauses(config: DeepReadonly<DeviceAllocationConfiguration>, path: FieldPath, names: RequestNames): FieldCause[] {
  const at = path.child('source');
  const source: string = config.source ?? '';
  const wrong = source === '' ? [required(at)] : SOURCES.includes(source) ? [] : [notSupported(at, source, SOURCES)];
  return [...wrong, ...referenceListCauses(config.requests, path.child('requests'), names), ...configurationCauses(config, path)];
}

type Device = DeepReadonly<AllocatedDeviceStatus>;
const keyOf = ({ driver, pool, device, shareID }: Pick<Device, 'driver' | 'pool' | 'device' | 'shareID'>) =>
  `${driver}/${pool}/${device}${shareID === undefined ? '' : `/${shareID}`}`;

function deviceListCauses(list: readonly Device[] | undefined, allocation: DeepReadonly<AllocationResult> | undefined): FieldCause[] {
  if ((list ?? []).length === 0) return [];
  const allocated = new Set((allocation?.devices?.results ?? []).map(keyOf));
  return setCauses(list, Number.POSITIVE_INFINITY, STATUS.child('devices'), { rule: (it, at) => deviceCauses(it, at, allocated), keyOf });
}

function deviceCauses(device: Device, path: FieldPath, allocated: ReadonlySet<string>): FieldCause[] {
  const causes = [
    ...csiDriverNameCauses(device.driver, path.child('driver')),
    ...poolNameCauses(device.pool, path.child('pool')),
    ...problems(checkDns1123Label(device.device ?? ''), path.child('device'), device.device ?? ''),
    ...uuidCauses(device.shareID, path.child('shareID')),
  ];
  if (!allocated.has(keyOf(device))) {
    const { driver: Driver, pool: Pool, device: Device, shareID: ShareID = '' } = device;
    causes.push(invalidValue(path, { Driver, Pool, Device, ShareID }, 'must be an allocated device in the claim'));
  }
  const conditions = device.conditions ?? [];
  const at = path.child('conditions');
  if (conditions.length > MOST_CONDITIONS) causes.push(tooMany(at, conditions.length, MOST_CONDITIONS));
  causes.push(...conditionListCauses(conditions, at));
  if (isSet(device.data)) causes.push(...rawObjectCauses(device.data, path.child('data')));
  return [...causes, ...networkCauses(device.networkData, path.child('networkData'))];
}

function networkCauses(data: Device['networkData'], path: FieldPath): FieldCause[] {
  const { interfaceName = '', hardwareAddress = '', ips } = data ?? {};
  const causes: FieldCause[] = [];
  if (Buffer.byteLength(interfaceName) > LONGEST_INTERFACE) causes.push(tooLong(path.child('interfaceName'), LONGEST_INTERFACE));
  if (Buffer.byteLength(hardwareAddress) > LONGEST_HARDWARE) causes.push(tooLong(path.child('hardwareAddress'), LONGEST_HARDWARE));
  return [...causes, ...setCauses(ips, MOST_ADDRESSES, path.child('ips'), { rule: interfaceCauses, keyOf: String })];
}
