// SPDX-License-Identifier: Apache-2.0
// Attribute based access control: policies in a file, one to a line, each of which allows a user or group something. Policies
// without a version are of the oldest form, in which what is left out stands for everything.
// @source upstream pkg/auth/authorizer/abac/abac.go, pkg/apis/abac/{v0,v1beta1}/conversion.go
import { FlagError } from '#component';
import { parseJsonObject } from '#machinery';
import { ALLOW, type Attributes, type Authorizer, type Decision } from './authorizer.ts';
import { AUTHENTICATED_GROUP, type UserInfo } from './user.ts';
import type { UserRules } from './user-rules.ts';

export interface AbacPolicy {
  readonly user: string;
  readonly group: string;
  readonly readonly: boolean;
  readonly apiGroup: string;
  readonly resource: string;
  readonly namespace: string;
  readonly nonResourcePath: string;
}

const VERSIONS = new Set(['abac.authorization.kubernetes.io/v1beta1', 'abac.authorization.kubernetes.io/v0']);
const NO_MATCH: Decision = { verdict: 'no-opinion', reason: 'No policy matched.' };

export function abacAuthorizer(policies: readonly AbacPolicy[]): Authorizer {
  return {
    name: 'ABAC',
    userRules: (user, namespace) => rulesOf(policies, user, namespace),
    authorize: (attributes) => (policies.some((policy) => matches(policy, attributes)) ? ALLOW : NO_MATCH),
  };
}

/** @param path For messages. @throws {FlagError} Naming the line that cannot be read. */
export function parseAbacPolicies(text: string, path: string): AbacPolicy[] {
  return text.split('\n').flatMap((line, index) => {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return [];
    try {
      return [policyOf(trimmed)];
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new FlagError(`error reading policy file ${path}, line ${index + 1}: ${trimmed}: ${why}`);
    }
  });
}

function policyOf(line: string): AbacPolicy {
  const { apiVersion, kind, ...given } = parseJsonObject(line);
  const isVersioned = VERSIONS.has(String(apiVersion)) && kind === 'Policy';
  if (isVersioned && String(apiVersion).endsWith('/v1beta1')) return widened(fieldsOf(given['spec'] ?? {}));
  return oldest(fieldsOf(given));
}

function fieldsOf(given: unknown): AbacPolicy {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new Error('json: cannot unmarshal into Go struct field Policy.spec of type v1beta1.PolicySpec');
  const fields = given as Readonly<Record<string, unknown>>;
  const text = (name: string): string => {
    const value = fields[name] ?? '';
    if (typeof value !== 'string')
      throw new Error(`json: cannot unmarshal ${typeof value} into Go struct field PolicySpec.${name} of type string`);
    return value;
  };
  const readonly = fields['readonly'] ?? false;
  if (typeof readonly !== 'boolean')
    throw new Error(`json: cannot unmarshal ${typeof readonly} into Go struct field PolicySpec.readonly of type bool`);
  return {
    user: text('user'),
    group: text('group'),
    readonly,
    apiGroup: text('apiGroup'),
    resource: text('resource'),
    namespace: text('namespace'),
    nonResourcePath: text('nonResourcePath'),
  };
}

/** `*` as user or group is everybody who has proven who he is. */
function widened(policy: AbacPolicy): AbacPolicy {
  return policy.user === '*' || policy.group === '*' ? { ...policy, user: '', group: AUTHENTICATED_GROUP } : policy;
}

/** The form without versions knew neither API groups nor paths. */
function oldest(given: AbacPolicy): AbacPolicy {
  const { user, group, namespace, resource } = given;
  const isAnybodys = user === '' && group === '';
  return widened({
    ...given,
    group: isAnybodys ? AUTHENTICATED_GROUP : group,
    namespace: namespace || '*',
    resource: resource || '*',
    apiGroup: '*',
    nonResourcePath: namespace === '' && resource === '' ? '*' : '',
  });
}

const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch']);

/** What is not of this namespace is left out, paths too. */
function rulesOf(policies: readonly AbacPolicy[], user: UserInfo, namespace: string): UserRules {
  const mine = policies.filter((policy) => subjectMatches(policy, user) && (policy.namespace === '*' || policy.namespace === namespace));
  const rules = mine.flatMap(({ readonly, apiGroup, resource, nonResourcePath }) => {
    const verbs = readonly ? [...READS] : ['*'];
    return [
      ...(resource === '' ? [] : [{ verbs, apiGroups: [apiGroup], resources: [resource] }]),
      ...(nonResourcePath === '' ? [] : [{ verbs, nonResourceURLs: [nonResourcePath] }]),
    ];
  });
  return { rules, incomplete: false, errors: [] };
}

function matches(policy: AbacPolicy, attributes: Attributes): boolean {
  if (!subjectMatches(policy, attributes.user)) return false;
  if (policy.readonly && !READS.has(attributes.verb)) return false;
  return attributes.isResource ? resourceMatches(policy, attributes) : pathMatches(policy.nonResourcePath, attributes.path);
}

/** A policy that names both wants both. */
function subjectMatches({ user, group }: AbacPolicy, { name, groups }: UserInfo): boolean {
  if (user === '' && group === '') return false;
  return (user === '' || user === name) && (group === '' || groups.includes(group));
}

function resourceMatches(policy: AbacPolicy, { namespace, resource, group }: Attributes): boolean {
  const fits = (wanted: string, asked: string) => wanted === '*' || wanted === asked;
  return fits(policy.namespace, namespace) && fits(policy.resource, resource) && fits(policy.apiGroup, group);
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.replace(/\*+$/, '')));
}
