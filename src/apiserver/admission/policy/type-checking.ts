// SPDX-License-Identifier: Apache-2.0
// What a ValidatingAdmissionPolicy's status says about its expressions: they are compiled again with the types of the resources
// that the policy names, and what does not fit is a warning. The controller asks; nothing here reads the cluster.
// @source upstream apiserver pkg/admission/plugin/policy/validating/typechecking.go
import type { DeepReadonly } from '#machinery';
import type { CelType } from '../../cel/mod.ts';
import type { ValidatingPolicy } from './compiled-policy.ts';
import { type Cel, PolicyEnvironment } from './environment.ts';

/** Resources of a rule beyond this many are not looked at. */
const MAX_TYPES = 10;

export interface ExpressionWarning {
  readonly fieldRef: string;
  readonly warning: string;
}

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface TypeSource {
  /** The kinds of a resource; none if it is not served. */
  kindsOf(group: string, version: string, resource: string): readonly GroupVersionKind[];
  /** The type of a kind's objects; undefined if its schema is not known. */
  typeOf(kind: GroupVersionKind): CelType | undefined;
}

/**
 * Kinds that a policy's rules name outright, sorted; groups and versions with a wildcard name none, nor do subresources. A rule of too
 * many is the last one looked at.
 */
export function typesToCheck({ spec }: ValidatingPolicy, { kindsOf }: Pick<TypeSource, 'kindsOf'>): readonly GroupVersionKind[] {
  const kinds = new Map<string, GroupVersionKind>();
  for (const { apiGroups, apiVersions, resources } of spec.matchConstraints?.resourceRules ?? []) {
    const names = sorted((resources ?? []).filter((resource) => !/[*/]/.test(resource)));
    const versions = unlessWild(apiVersions);
    const ofRule = unlessWild(apiGroups).flatMap((group) =>
      versions.flatMap((version) => names.flatMap((resource) => kindsOf(group, version, resource))),
    );
    for (const kind of ofRule.slice(0, MAX_TYPES)) kinds.set(print(kind), kind);
    if (ofRule.length >= MAX_TYPES) break;
  }
  const order = ({ group, version, kind }: GroupVersionKind) => `${group}/${version}/${kind}`;
  return [...kinds.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

function unlessWild(list: readonly string[] = []): readonly string[] {
  return list.some((name) => name.includes('*')) ? [] : sorted(list);
}

function sorted(list: readonly string[]): readonly string[] {
  return [...new Set(list)].sort();
}

function print({ group, version, kind }: GroupVersionKind): string {
  return `${group === '' ? '' : `${group}/`}${version}, Kind=${kind}`;
}

/** @returns Warnings in order of the expressions; empty if all fit. */
export function checkTypes(policy: ValidatingPolicy, types: TypeSource, cel: Cel): ExpressionWarning[] {
  const known = typesToCheck(policy, types).flatMap((kind) => {
    const type = types.typeOf(kind);
    return type === undefined ? [] : [{ kind, environment: environmentOf(policy, type, types, cel) }];
  });
  const warnings: ExpressionWarning[] = [];
  const check = (fieldRef: string, expression: string) => {
    const texts = known.flatMap(({ kind, environment }) => {
      const { problem } = environment.compile(expression, 'any');
      return problem === undefined ? [] : [`${print(kind)}: ${problem.replace(/^compilation failed: /, '')}\n`];
    });
    if (texts.length > 0) warnings.push({ fieldRef, warning: texts.join('\n') });
  };
  for (const [index, { expression, messageExpression }] of (policy.spec.validations ?? []).entries()) {
    check(`spec.validations[${index}].expression`, expression);
    if (messageExpression) check(`spec.validations[${index}].messageExpression`, messageExpression);
  }
  return warnings;
}

function environmentOf({ spec }: ValidatingPolicy, object: CelType, types: TypeSource, cel: Cel): PolicyEnvironment {
  const params = spec.paramKind === undefined ? undefined : types.typeOf(kindOfParams(spec.paramKind));
  const environment = new PolicyEnvironment(cel, {
    hasParams: spec.paramKind !== undefined,
    object,
    // Of a kind that is not there they can be anything.
    ...(params === undefined ? {} : { params }),
  });
  for (const variable of spec.variables ?? []) environment.declare(variable);
  return environment;
}

function kindOfParams({ apiVersion = '', kind = '' }: DeepReadonly<{ apiVersion?: string; kind?: string }>): GroupVersionKind {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return { group: group ?? '', version: version ?? '', kind };
}
