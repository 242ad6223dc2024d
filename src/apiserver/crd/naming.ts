// SPDX-License-Identifier: Apache-2.0
// Which names a definition gets, and the conditions that say so: pure plans over what is known of its group.
// @source upstream apiextensions-apiserver pkg/controller/{status/naming_controller,apiapproval,establish}.go
import type { CustomResourceDefinitionCondition, CustomResourceDefinitionNames } from '#api/apiextensions/v1';
import { type DeepReadonly, deepEqual, FieldPath } from '#machinery';
import type { SchemaProps } from './schema-props.ts';
import type { Definition } from './served-definition.ts';
import { structuralCauses } from './structural-validation.ts';

type Names = DeepReadonly<CustomResourceDefinitionNames>;
type Condition = DeepReadonly<CustomResourceDefinitionCondition>;
/** A condition as a plan states it: when it changed is found out when it is written. */
export type PlannedCondition = Pick<CustomResourceDefinitionCondition, 'type' | 'status'> & {
  readonly reason: string;
  readonly message: string;
};

export interface NamingPlan {
  readonly acceptedNames: Names;
  readonly conditions: readonly PlannedCondition[];
}

type Settled = { -readonly [Key in keyof Names]: Names[Key] | undefined } & Pick<Names, 'plural' | 'kind'>;

/** @param others The other definitions of the same group. Names that the definition has already are taken for its other names, too. */
export function planNames(definition: Definition, others: readonly Definition[]): NamingPlan {
  const requested = definition.spec.names;
  const accepted: Names = definition.status?.acceptedNames ?? { plural: '', kind: '' };
  // What was said of them stays, upstream looks no further: also a conflict of names that are wanted no more.
  if (deepEqual(present(requested), present(accepted))) return { acceptedNames: accepted, conditions: otherConditions(definition) };
  const taken = [...others.map(({ status }) => status?.acceptedNames), accepted];
  const resources = new Set(taken.flatMap(resourceNames));
  const kinds = new Set(taken.flatMap((names) => [names?.kind || undefined, names?.listKind || undefined]));
  const next: Settled = { ...accepted };
  let conflict: { reason: string; message: string } | undefined;
  const settle = (reason: string, problem: string | undefined, accept: () => void) => {
    if (problem === undefined) accept();
    else conflict = { reason, message: problem };
  };
  const judge = (wanted: string | undefined, own: string | undefined, used: ReadonlySet<string | undefined>) =>
    wanted === own || !used.has(wanted) ? undefined : `${JSON.stringify(wanted ?? '')} is already in use`;
  settle('PluralConflict', judge(requested.plural, accepted.plural, resources), () => {
    next.plural = requested.plural;
  });
  settle('SingularConflict', judge(requested.singular, accepted.singular, resources), () => {
    next.singular = requested.singular;
  });
  settle('ShortNamesConflict', shortNameProblem(requested, accepted, resources), () => {
    next.shortNames = requested.shortNames;
  });
  settle('KindConflict', judge(requested.kind, accepted.kind, kinds), () => {
    next.kind = requested.kind;
  });
  settle('ListKindConflict', judge(requested.listKind, accepted.listKind, kinds), () => {
    next.listKind = requested.listKind;
  });
  next.categories = requested.categories;
  return { acceptedNames: present(next), conditions: conditionsOf(definition, conflict) };
}

function present(names: Settled | Names): Names {
  const { plural, singular, shortNames, kind, listKind, categories } = names;
  return {
    plural,
    ...(singular ? { singular } : {}),
    ...(shortNames !== undefined && shortNames.length > 0 ? { shortNames } : {}),
    kind,
    ...(listKind ? { listKind } : {}),
    ...(categories !== undefined && categories.length > 0 ? { categories } : {}),
  };
}

function resourceNames(names: Names | undefined): string[] {
  if (names === undefined) return [];
  return [names.plural, names.singular ?? '', ...(names.shortNames ?? [])].filter((name) => name !== '');
}

function shortNameProblem(requested: Names, accepted: Names, used: ReadonlySet<string>): string | undefined {
  if (deepEqual(requested.shortNames ?? [], accepted.shortNames ?? [])) return undefined;
  const problems = (requested.shortNames ?? [])
    .filter((name) => !accepted.shortNames?.includes(name) && used.has(name))
    .map((name) => `${JSON.stringify(name)} is already in use`);
  if (problems.length === 0) return undefined;
  return problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`;
}

function conditionsOf(definition: Definition, conflict: { reason: string; message: string } | undefined): readonly PlannedCondition[] {
  const wasEstablished = findCondition(definition, 'Established');
  const naming: PlannedCondition =
    conflict === undefined
      ? { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
      : { type: 'NamesAccepted', status: 'False', ...conflict };
  const established: PlannedCondition =
    wasEstablished?.status === 'True'
      ? { type: 'Established', status: 'True', reason: wasEstablished.reason ?? '', message: wasEstablished.message ?? '' }
      : conflict === undefined
        ? { type: 'Established', status: 'False', reason: 'Installing', message: 'the initial names have been accepted' }
        : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' };
  return [naming, established, ...otherConditions(definition)];
}

/** The step after accepted names, which clients that watch see as one of its own; undefined where it is not due. */
export function establishment(definition: Definition): PlannedCondition | undefined {
  const isTrue = (type: string) => findCondition(definition, type)?.status === 'True';
  if (!isTrue('NamesAccepted') || isTrue('Established')) return undefined;
  return { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' };
}

/** The conditions that have nothing to do with names. */
function otherConditions(definition: Definition): readonly PlannedCondition[] {
  const found = [nonStructuralCondition(definition), approvalCondition(definition)];
  return found.filter((condition) => condition !== undefined);
}

/** Definitions that older servers took; today's are refused. */
function nonStructuralCondition({ spec, status }: Definition): PlannedCondition | undefined {
  const causes = spec.versions.flatMap(({ schema }, index) => {
    const path = new FieldPath(`spec.versions[${index}].schema.openAPIV3Schema`);
    return schema?.openAPIV3Schema === undefined ? [] : structuralCauses(schema.openAPIV3Schema as SchemaProps, path);
  });
  const type = 'NonStructuralSchema';
  if (causes.length > 0) {
    const texts = causes.map(({ field, message }) => `${field}: ${message}`);
    const message = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
    return { type, status: 'True', reason: 'Violations', message };
  }
  const before = status?.conditions?.some((condition) => condition.type === type && condition.status === 'True');
  return before === true ? { type, status: 'False', reason: 'NoViolations', message: 'schemas are structural' } : undefined;
}

export function findCondition({ status }: Definition, type: string): Condition | undefined {
  return status?.conditions?.find((condition) => condition.type === type);
}

export const APPROVED = 'api-approved.kubernetes.io';
const SEE = 'see https://github.com/kubernetes/enhancements/pull/1111';

/** Groups that belong to the Kubernetes community. */
export function isProtectedGroup(group: string): boolean {
  return /(^|\.)(k8s|kubernetes)\.io$/.test(group);
}

export interface Approval {
  readonly state: 'missing' | 'bypassed' | 'approved' | 'invalid';
  readonly message: string;
}

export function approvalOf(annotations: Readonly<Record<string, string>> | undefined): Approval {
  const text = annotations?.[APPROVED] ?? '';
  if (text === '') return { state: 'missing', message: `protected groups must have approval annotation "${APPROVED}", ${SEE}` };
  if (text.startsWith('unapproved')) return { state: 'bypassed', message: `not approved: ${JSON.stringify(text)}` };
  const url = URL.parse(text);
  if (url !== null && url.host !== '') return { state: 'approved', message: `approved in ${text}` };
  const message = `protected groups must have approval annotation "${APPROVED}" with either a URL or a reason starting with "unapproved", ${SEE}`;
  return { state: 'invalid', message };
}

const APPROVALS = {
  missing: ['False', 'MissingAnnotation'],
  bypassed: ['False', 'UnapprovedAnnotation'],
  approved: ['True', 'ApprovedAnnotation'],
  invalid: ['False', 'InvalidAnnotation'],
} as const;

function approvalCondition({ metadata, spec }: Definition): PlannedCondition | undefined {
  if (!isProtectedGroup(spec.group)) return undefined;
  const { state, message } = approvalOf(metadata.annotations);
  const [status, reason] = APPROVALS[state];
  return { type: 'KubernetesAPIApprovalPolicyConformant', status, reason, message };
}

/** The conditions with a planned one set: its time changes with its status. */
export function withCondition(conditions: readonly Condition[], planned: PlannedCondition, now: string): Condition[] {
  const found = conditions.find(({ type }) => type === planned.type);
  const next = { ...planned, lastTransitionTime: found !== undefined && found.status === planned.status ? found.lastTransitionTime : now };
  const { type, status, lastTransitionTime, reason, message } = next as CustomResourceDefinitionCondition;
  const ordered = { type, status, ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }), reason, message } as Condition;
  return found === undefined ? [...conditions, ordered] : conditions.map((one) => (one === found ? ordered : one));
}
