// SPDX-License-Identifier: Apache-2.0
// The audit policy: a file of kind `Policy` (audit.k8s.io/v1), read and checked once, and what its first matching rule says of a request.
// @source upstream apiserver pkg/audit/policy/{reader,checker}.go, pkg/apis/audit/validation
import { parse } from 'yaml';
import type { UserInfo } from '../auth/user.ts';
import type { RequestInfo } from '../request/request-info.ts';

export const AUDIT_LEVELS = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof AUDIT_LEVELS)[number];
export const AUDIT_STAGES = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditStage = (typeof AUDIT_STAGES)[number];

export interface PolicyDecision {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

interface GroupResources {
  readonly group?: string;
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface PolicyRule {
  readonly level: AuditLevel;
  readonly users?: readonly string[];
  readonly userGroups?: readonly string[];
  readonly verbs?: readonly string[];
  readonly resources?: readonly GroupResources[];
  readonly namespaces?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

interface Policy {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly rules?: readonly PolicyRule[];
  readonly omitStages?: readonly AuditStage[];
  readonly omitManagedFields?: boolean;
}

/** Thrown when a policy file cannot be used. */
export class AuditPolicyError extends Error {}

const NONE: PolicyDecision = { level: 'None', omitStages: new Set(), omitManagedFields: false };

export class AuditPolicy {
  readonly #rules: readonly { readonly rule: PolicyRule; readonly decision: PolicyDecision }[];

  constructor({ rules = [], omitStages = [], omitManagedFields = false }: Policy) {
    this.#rules = rules.map((rule) => ({
      rule,
      decision: {
        level: rule.level,
        omitStages: new Set([...omitStages, ...(rule.omitStages ?? [])]),
        omitManagedFields: rule.omitManagedFields ?? omitManagedFields,
      },
    }));
  }

  /** Of the first rule that matches; nothing where none does. */
  evaluate(user: UserInfo | undefined, info: RequestInfo): PolicyDecision {
    return this.#rules.find(({ rule }) => matches(rule, user, info))?.decision ?? NONE;
  }
}

/** @throws {AuditPolicyError} If the text is no policy. */
export function parsePolicy(text: string, path: string): AuditPolicy {
  const refuse = (why: string) => new AuditPolicyError(`loading audit policy file: ${why}: from file ${path}`);
  let policy: Policy | null;
  try {
    policy = parse(text, { logLevel: 'error' }) as Policy | null;
  } catch (error) {
    throw refuse(`failed decoding: ${(error as Error).message}`);
  }
  if (typeof policy !== 'object' || policy === null || policy.kind !== 'Policy' || policy.apiVersion !== 'audit.k8s.io/v1')
    throw refuse('failed decoding: want an object of kind "Policy" in version "audit.k8s.io/v1"');
  if (!Array.isArray(policy.rules) || policy.rules.length === 0)
    throw new AuditPolicyError(`loaded illegal policy with 0 rules from file ${path}`);
  if (!hasShape(policy)) throw refuse('failed decoding: a field is not of the type that it must have');
  const problems = problemsOf(policy);
  if (problems.length > 0) throw new AuditPolicyError(problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`);
  return new AuditPolicy(policy);
}

/** Whether what is given is of the types that the rules below rely on. */
function hasShape({ rules, omitStages }: Policy): boolean {
  if (!isList(omitStages)) return false;
  return (rules ?? []).every((rule) => {
    if (typeof rule !== 'object' || rule === null) return false;
    const { users, userGroups, verbs, resources, namespaces, nonResourceURLs, omitStages: stages } = rule;
    const lists = [users, userGroups, verbs, namespaces, nonResourceURLs, stages];
    if (!lists.every(isList) || !(resources === undefined || Array.isArray(resources))) return false;
    return (resources ?? []).every((one) => typeof one === 'object' && one !== null && isList(one.resources) && isList(one.resourceNames));
  });
}

function isList(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.every((item) => typeof item === 'string'));
}

function problemsOf({ rules = [], omitStages = [] }: Policy): string[] {
  const problems = stageProblems(omitStages, 'omitStages');
  for (const [index, rule] of rules.entries()) {
    const at = `rules[${index}]`;
    if (!AUDIT_LEVELS.includes(rule.level)) {
      const why =
        rule.level === undefined
          ? 'Required value'
          : `Unsupported value: ${JSON.stringify(rule.level)}: supported values: ${quotedList(AUDIT_LEVELS)}`;
      problems.push(`${at}.level: ${why}`);
    }
    problems.push(...ruleProblems(rule, at), ...stageProblems(rule.omitStages ?? [], `${at}.omitStages`));
  }
  return problems;
}

function ruleProblems({ nonResourceURLs = [], resources = [], namespaces = [] }: PolicyRule, at: string): string[] {
  const problems: string[] = [];
  if (nonResourceURLs.length > 0 && (resources.length > 0 || namespaces.length > 0))
    problems.push(
      `${at}.nonResourceURLs: Invalid value: ${JSON.stringify(nonResourceURLs)}: rules cannot apply to both regular resources and non-resource URLs`,
    );
  for (const [index, url] of nonResourceURLs.entries()) {
    const where = `${at}.nonResourceURLs[${index}]: Invalid value: ${JSON.stringify(url)}: `;
    if (url === '*') continue;
    if (!url.startsWith('/')) problems.push(`${where}non-resource URL rules must begin with a '/' character`);
    if (url.slice(0, -1).includes('*')) problems.push(`${where}non-resource URL wildcards '*' must be the final character of the rule`);
  }
  for (const [index, { resources: named = [], resourceNames = [] }] of resources.entries()) {
    if (resourceNames.length > 0 && named.length === 0)
      problems.push(
        `${at}.resources[${index}].resourceNames: Invalid value: ${JSON.stringify(resourceNames)}: using resourceNames requires at least one resource`,
      );
  }
  return problems;
}

function stageProblems(stages: readonly string[], at: string): string[] {
  return stages.flatMap((stage, index) =>
    (AUDIT_STAGES as readonly string[]).includes(stage)
      ? []
      : [`${at}[${index}]: Invalid value: ${JSON.stringify(stage)}: allowed stages are ${AUDIT_STAGES.join(',')}`],
  );
}

const quotedList = (list: readonly string[]) => list.map((text) => JSON.stringify(text)).join(', ');

function matches(rule: PolicyRule, user: UserInfo | undefined, info: RequestInfo): boolean {
  const { users = [], userGroups = [], verbs = [] } = rule;
  if (users.length > 0 && (user === undefined || !users.includes(user.name))) return false;
  if (userGroups.length > 0 && (user === undefined || !userGroups.some((group) => user.groups.includes(group)))) return false;
  if (verbs.length > 0 && !verbs.includes(info.verb)) return false;
  const { namespaces = [], resources = [], nonResourceURLs = [] } = rule;
  if (namespaces.length > 0 || resources.length > 0) return info.isResource && fitsResource(rule, info);
  if (nonResourceURLs.length > 0) return !info.isResource && nonResourceURLs.some((pattern) => fitsPath(pattern, info.path));
  return true;
}

function fitsResource(
  { namespaces = [], resources = [] }: PolicyRule,
  { namespace, group, resource, subresource, name }: RequestInfo,
): boolean {
  if (namespaces.length > 0 && !namespaces.includes(namespace)) return false;
  if (resources.length === 0) return true;
  const combined = subresource === '' ? resource : `${resource}/${subresource}`;
  return resources.some(({ group: wanted = '', resources: named = [], resourceNames = [] }) => {
    if (wanted !== group) return false;
    if (named.length === 0) return true;
    if (resourceNames.length > 0 && !resourceNames.includes(name)) return false;
    return named.some(
      (one) =>
        one === '*' ||
        one === combined ||
        (subresource !== '' && one === `*/${subresource}`) ||
        (one.endsWith('/*') && resource === one.slice(0, -2)),
    );
  });
}

function fitsPath(pattern: string, path: string): boolean {
  return pattern === '*' || pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1)));
}
