// SPDX-License-Identifier: Apache-2.0
// Resources whose devices are chosen by CEL expressions: the usual strategy, expressions that compile and do not cost too much, and
// admin access where the namespace allows it.
// Their faults stand where upstream's order has them. @source upstream pkg/apis/resource/validation validateCELSelector,
// pkg/registry/resource AuthorizedForAdmin, dynamic-resource-allocation/cel/compile.go
import { namespaces, storageVersionOf, validateObject, validateObjectUpdate } from '#api';
import type { AllocationResult, DeviceClaim, ResourceClaim } from '#api/resource/v1';
import { type DeepReadonly, type FieldCause, type FieldPath, field, forbiddenField, invalidValue, type Resource } from '#machinery';
import type { CelType } from '../../cel/mod.ts';
import type { RuleEngine } from '../../crd/rule-engine.ts';
import { defaultStrategy, type StrategyTraits } from '../default-strategy.ts';
import type { MutableObject, RequestScope, Strategy } from '../strategy.ts';

type Cel = RuleEngine['cel'];

const MAX_COST = 1_000_000;
/** Attributes and capacities of a device; bytes of a domain, of a name. */
const [MOST_FACTS, DOMAIN, NAME] = [32, 63, 32];

/** `device`, as expressions see it. */
function deviceType(cel: Cel): CelType {
  const text = (maxLength: number): CelType => ({ kind: 'string', maxLength });
  const facts = (value: CelType): CelType => {
    const inner: CelType = { kind: 'map', key: text(NAME), value, maxItems: MOST_FACTS };
    return { kind: 'map', key: text(DOMAIN), value: inner, maxItems: MOST_FACTS };
  };
  return {
    kind: 'object',
    name: 'kubernetes.DRADevice',
    fields: new Map<string, CelType>([
      ['driver', text(DOMAIN)],
      ['attributes', facts(cel.DYN)],
      ['capacity', facts(cel.LIBRARY_TYPES['Quantity'] as CelType)],
      ['allowMultipleAllocations', cel.BOOL],
    ]),
  };
}

interface Claiming {
  readonly spec?: { readonly devices?: DeepReadonly<DeviceClaim>; readonly spec?: { readonly devices?: DeepReadonly<DeviceClaim> } };
  readonly status?: { readonly allocation?: DeepReadonly<AllocationResult> };
}

function expressionCauses(expression: string, path: FieldPath, cel: Cel): FieldCause[] {
  const { problem, resultType, estimateCost } = cel.compile(expression, {
    variables: { device: deviceType(cel) },
    result: 'any',
    hasBindings: true,
  });
  if (problem !== undefined) return [invalidValue(path, expression, problem)];
  if (resultType !== undefined && resultType.kind !== 'bool' && resultType.kind !== 'dyn') {
    const why = `must evaluate to bool or the unknown type, not ${cel.formatType(resultType)}`;
    return [invalidValue(path, expression, why)];
  }
  return estimateCost().max > MAX_COST ? [forbiddenField(path, 'too complex, exceeds cost limit')] : [];
}

const ADMIN_LABEL = 'resource.kubernetes.io/admin-access';

const adminCause = (path: FieldPath) =>
  forbiddenField(path, `admin access to devices requires the \`${ADMIN_LABEL}: true\` label on the containing namespace`);
const mayAdmin = ({ namespace, reader }: RequestScope) =>
  reader.find(namespaces, { name: namespace })?.metadata.labels?.[ADMIN_LABEL] === 'true';

/** Who asks for devices that others use has to be in a namespace that may. */
function adminAccessCauses(kind: string, object: Claiming, scope: RequestScope): FieldCause[] {
  const devices = kind === 'ResourceClaim' ? object.spec?.devices : object.spec?.spec?.devices;
  const index = devices?.requests?.findIndex(({ exactly }) => exactly?.adminAccess === true) ?? -1;
  if (index < 0 || mayAdmin(scope)) return [];
  return [adminCause(field('spec', 'devices', 'requests').index(index).child('adminAccess'))];
}

/** So has who gets them, unless they were given before. */
function adminResultCauses(next: Claiming, previous: Claiming, scope: RequestScope): FieldCause[] {
  const indexIn = ({ status }: Claiming) => status?.allocation?.devices?.results?.findIndex((it) => it.adminAccess === true) ?? -1;
  const index = indexIn(next);
  if (index < 0 || indexIn(previous) >= 0 || mayAdmin(scope)) return [];
  return [adminCause(field('status', 'allocation', 'devices', 'results').index(index).child('adminAccess'))];
}

type DeviceId = { readonly driver: string; readonly pool: string; readonly device: string };
const idOf = ({ driver, pool, device }: DeviceId) => `${driver}/${pool}/${device}`;

/** What drivers say of devices goes with the devices. @source upstream dropDeallocatedStatusDevices */
function dropDeallocated(object: MutableObject, before: DeepReadonly<MutableObject>): void {
  const { status } = object as unknown as { status?: ResourceClaim['status'] };
  const devices = status?.devices;
  if (status === undefined || devices === undefined) return;
  const resultsOf = (of: unknown) => ((of as Claiming).status?.allocation?.devices?.results ?? []).map(idOf);
  const gone = new Set(resultsOf(before)).difference(new Set(resultsOf(object)));
  const left = devices.filter((device) => !gone.has(idOf(device)));
  if (left.length > 0) status.devices = left;
  else delete status.devices;
}

const CLAIM_STATUS: StrategyTraits = {
  statusKeepsMetadata: true,
  statusResetFields: ['spec'],
  afterPrepareForStatus: dropDeallocated,
};

/** @param rules Admission has loaded it before such an object is validated. */
export function deviceSelectorStrategy(resource: Resource, traits: StrategyTraits, rules: RuleEngine): Strategy {
  const isClaim = resource.kind === 'ResourceClaim';
  const base = defaultStrategy(resource, isClaim ? { ...traits, ...CLAIM_STATUS } : traits);
  const of = { ...storageVersionOf(resource), kind: resource.kind };
  const check = (expression: string, path: FieldPath) => expressionCauses(expression, path, rules.cel);
  const { status } = base.subresources;
  return {
    ...base,
    validate: (object, scope) => [...adminAccessCauses(resource.kind, object as Claiming, scope), ...validateObject(of, object, check)],
    validateUpdate: (next, previous) => validateObjectUpdate(of, next, previous, '', check),
    subresources:
      status === undefined
        ? base.subresources
        : {
            status: {
              ...status,
              validateUpdate: (next, previous, scope) => [
                ...adminResultCauses(next as Claiming, previous as Claiming, scope),
                ...status.validateUpdate(next, previous, scope),
              ],
            },
          },
  };
}
