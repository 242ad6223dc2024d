// SPDX-License-Identifier: Apache-2.0
// Resources whose devices are chosen by CEL expressions: the usual strategy, expressions that compile and do not cost too much, and
// admin access where the namespace allows it.
// Expressions that an update leaves as they were are left unchecked. `cel.bind`, which only this environment has, is not known to
// our compiler: expressions with it are taken as they are. @source upstream pkg/apis/resource/validation validateCELSelector,
// dynamic-resource-allocation/cel/compile.go
import { namespaces } from '#api';
import type { DeviceClaim, DeviceSelector } from '#api/resource/v1';
import { type DeepReadonly, type FieldCause, type FieldPath, field, forbiddenField, invalidValue, type Resource } from '#machinery';
import type { CelType } from '../../cel/mod.ts';
import type { RuleEngine } from '../../crd/rule-engine.ts';
import { defaultStrategy, type StrategyTraits } from '../default-strategy.ts';
import type { MutableObject, RequestScope, Strategy } from '../strategy.ts';

type Cel = RuleEngine['cel'];
type Selectors = readonly DeepReadonly<DeviceSelector>[] | undefined;
type Found = readonly [path: FieldPath, selectors: Selectors];

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

function claimSelectors(claim: DeepReadonly<DeviceClaim> | undefined, path: FieldPath): Found[] {
  return (claim?.requests ?? []).flatMap(({ exactly, firstAvailable }, index): Found[] => {
    const at = path.child('requests').index(index);
    const alternatives = (firstAvailable ?? []).map((it, position): Found => {
      return [at.child('firstAvailable').index(position).child('selectors'), it.selectors];
    });
    return [[at.child('exactly', 'selectors'), exactly?.selectors], ...alternatives];
  });
}

interface Selecting {
  readonly spec?: {
    readonly selectors?: Selectors;
    readonly devices?: DeepReadonly<DeviceClaim>;
    readonly spec?: { readonly devices?: DeepReadonly<DeviceClaim> };
  };
}

/** Where each kind has its selectors. */
const SELECTORS: Readonly<Record<string, (object: Selecting) => readonly Found[]>> = {
  DeviceClass: ({ spec }) => [[field('spec', 'selectors'), spec?.selectors]],
  ResourceClaim: ({ spec }) => claimSelectors(spec?.devices, field('spec', 'devices')),
  ResourceClaimTemplate: ({ spec }) => claimSelectors(spec?.spec?.devices, field('spec', 'spec', 'devices')),
};

function expressionCauses(expression: string, path: FieldPath, cel: Cel): FieldCause[] {
  const { problem, resultType, estimateCost } = cel.compile(expression, { variables: { device: deviceType(cel) }, result: 'any' });
  if (problem !== undefined) return [invalidValue(path, expression, problem)];
  if (resultType !== undefined && resultType.kind !== 'bool' && resultType.kind !== 'dyn') {
    const why = `must evaluate to bool or the unknown type, not ${cel.formatType(resultType)}`;
    return [invalidValue(path, expression, why)];
  }
  return estimateCost().max > MAX_COST ? [forbiddenField(path, 'too complex, exceeds cost limit')] : [];
}

const ADMIN_LABEL = 'resource.kubernetes.io/admin-access';

/** Who asks for devices that others use has to be in a namespace that may. */
function adminAccessCauses(kind: string, object: Selecting, { namespace, reader }: RequestScope): FieldCause[] {
  const devices = kind === 'ResourceClaim' ? object.spec?.devices : object.spec?.spec?.devices;
  const index = devices?.requests?.findIndex(({ exactly }) => exactly?.adminAccess === true) ?? -1;
  if (index < 0 || reader.find(namespaces, { name: namespace })?.metadata.labels?.[ADMIN_LABEL] === 'true') return [];
  const why = `admin access to devices requires the \`${ADMIN_LABEL}: true\` label on the containing namespace`;
  return [forbiddenField(field('spec', 'devices', 'requests').index(index).child('adminAccess'), why)];
}

/** @param rules Admission has loaded it before such an object is validated. */
export function deviceSelectorStrategy(resource: Resource, traits: StrategyTraits, rules: RuleEngine): Strategy {
  const base = defaultStrategy(resource, traits);
  const selectorsOf = SELECTORS[resource.kind] ?? (() => []);
  const expressionsOf = (object: DeepReadonly<MutableObject>) =>
    selectorsOf(object as Selecting).flatMap(([path, selectors]) =>
      (selectors ?? []).flatMap(({ cel }, index) =>
        cel?.expression ? [{ path: path.index(index).child('cel', 'expression'), expression: cel.expression }] : [],
      ),
    );
  const causesOf = (object: DeepReadonly<MutableObject>, had: ReadonlySet<string>) =>
    expressionsOf(object).flatMap(({ path, expression }) => {
      const isUnchecked = had.has(expression) || expression.length > 10 * 1024 || expression.includes('cel.bind(');
      return isUnchecked ? [] : expressionCauses(expression, path, rules.cel);
    });
  return {
    ...base,
    validate: (object, scope) => [
      ...adminAccessCauses(resource.kind, object as Selecting, scope),
      ...base.validate(object, scope),
      ...causesOf(object, new Set()),
    ],
    validateUpdate(next, previous, scope) {
      const had = new Set(expressionsOf(previous).map(({ expression }) => expression));
      return [...base.validateUpdate(next, previous, scope), ...causesOf(next, had)];
    },
  };
}
