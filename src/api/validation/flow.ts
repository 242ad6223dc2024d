// SPDX-License-Identifier: Apache-2.0
// Validation of FlowSchemas and PriorityLevelConfigurations (upstream's pkg/apis/flowcontrol/validation).
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../generated/flowcontrol/v1.ts';
import { isSet, problems } from './rules.ts';

const SPEC = field('spec');
type Rule = NonNullable<DeepReadonly<FlowSchema>['spec']['rules']>[number];
type Texts = readonly string[] | undefined;

export function flowSchemaCauses({ metadata, spec }: DeepReadonly<FlowSchema>): FieldCause[] {
  const causes: FieldCause[] = [];
  const precedence = spec.matchingPrecedence ?? 0;
  if (precedence <= 0) causes.push(invalidValue(SPEC.child('matchingPrecedence'), precedence, 'must be a positive value'));
  if (precedence > 10_000) causes.push(invalidValue(SPEC.child('matchingPrecedence'), precedence, 'must not be greater than 10000'));
  if (precedence === 1 && metadata.name !== 'exempt') {
    causes.push(invalidValue(SPEC.child('matchingPrecedence'), precedence, "only the schema named 'exempt' may have matchingPrecedence 1"));
  }
  const method = spec.distinguisherMethod;
  if (method && method.type !== 'ByNamespace' && method.type !== 'ByUser') {
    causes.push(notSupported(SPEC.child('distinguisherMethod', 'type'), { Type: method.type }, ['ByNamespace', 'ByUser']));
  }
  const level = spec.priorityLevelConfiguration?.name;
  const levelPath = SPEC.child('priorityLevelConfiguration', 'name');
  if (!level) causes.push(required(levelPath, 'must reference a priority level'));
  else for (const problem of checkDns1123Subdomain(level)) causes.push(invalidValue(levelPath, level, problem));
  for (const [index, rule] of (spec.rules ?? []).entries()) causes.push(...ruleCauses(rule, SPEC.child('rules').index(index)));
  return causes;
}

function ruleCauses(rule: Rule, at: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if ((rule.subjects ?? []).length === 0) causes.push(required(at.child('subjects'), 'subjects must contain at least one value'));
  for (const [index, subject] of (rule.subjects ?? []).entries()) causes.push(...subjectCauses(subject, at.child('subjects').index(index)));
  if ((rule.resourceRules ?? []).length + (rule.nonResourceRules ?? []).length === 0) {
    causes.push(required(at, 'at least one of resourceRules and nonResourceRules has to be non-empty'));
  }
  for (const [index, on] of (rule.resourceRules ?? []).entries())
    causes.push(...resourceRuleCauses(on, at.child('resourceRules').index(index)));
  for (const [index, on] of (rule.nonResourceRules ?? []).entries())
    causes.push(...pathRuleCauses(on, at.child('nonResourceRules').index(index)));
  return causes;
}

const SUBJECT_FIELDS = { ServiceAccount: 'serviceAccount', User: 'user', Group: 'group' } as const;

function subjectCauses(subject: Rule['subjects'][number], at: FieldPath): FieldCause[] {
  const key = SUBJECT_FIELDS[subject.kind as keyof typeof SUBJECT_FIELDS];
  if (key === undefined) return [notSupported(at.child('kind'), subject.kind, ['Group', 'ServiceAccount', 'User'])];
  const others = Object.entries(SUBJECT_FIELDS).flatMap(([kind, other]) =>
    other !== key && subject[other] ? [forbiddenField(at.child(other), `${other} is forbidden when subject kind is not '${kind}'`)] : [],
  );
  const given = subject[key];
  if (!given) return [required(at.child(key), `${key} is required when subject kind is '${subject.kind}'`), ...others];
  const path = at.child(key);
  const causes = given.name ? [] : [required(path.child('name'))];
  if (key === 'serviceAccount') causes.push(...accountCauses(subject.serviceAccount, path));
  return [...causes, ...others];
}

type Account = Rule['subjects'][number]['serviceAccount'];

function accountCauses(account: Account, path: FieldPath): FieldCause[] {
  const { name, namespace } = account ?? {};
  const named = name && name !== '*' ? problems(checkDns1123Subdomain(name), path.child('name'), name) : [];
  const at = path.child('namespace');
  if (!namespace) return [...named, required(at, 'must specify namespace for service account')];
  return [...named, ...problems(checkDns1123Label(namespace), at, namespace)];
}

function listCauses(list: Texts, at: FieldPath, words: { readonly none: string; readonly others: string }): FieldCause[] {
  if (list === undefined || list === null || list.length === 0) return [required(at, words.none)];
  return list.includes('*') && list.length > 1 ? [invalidValue(at, list, `if '*' is present, must not specify other ${words.others}`)] : [];
}

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch'];

/** Of both kinds of rules: upstream knows no other verbs of paths than of resources. */
function verbCauses(list: Texts, at: FieldPath): FieldCause[] {
  const causes = listCauses(list, at, { none: 'verbs must contain at least one value', others: 'verbs' });
  if (causes.length > 0 || list?.includes('*')) return causes;
  return (list ?? []).every((verb) => VERBS.includes(verb)) ? [] : [notSupported(at, list, VERBS)];
}

function resourceRuleCauses(rule: NonNullable<Rule['resourceRules']>[number], at: FieldPath): FieldCause[] {
  return [
    ...verbCauses(rule.verbs, at.child('verbs')),
    ...listCauses(rule.apiGroups, at.child('apiGroups'), {
      none: 'resource rules must supply at least one api group',
      others: 'api groups',
    }),
    ...listCauses(rule.resources, at.child('resources'), { none: 'resource rules must supply at least one resource', others: 'resources' }),
    ...namespaceCauses(rule.namespaces ?? [], rule.clusterScope === true, at.child('namespaces')),
  ];
}

const EACH_NAMESPACE = "each member of this list must be '*' or a DNS-1123 label; ";

function namespaceCauses(namespaces: readonly string[], isClusterScope: boolean, path: FieldPath): FieldCause[] {
  if (namespaces.length === 0 && !isClusterScope)
    return [required(path, 'resource rules that are not cluster scoped must supply at least one namespace')];
  if (namespaces.includes('*'))
    return namespaces.length > 1 ? [invalidValue(path, namespaces, "if '*' is present, must not specify other namespaces")] : [];
  return namespaces.flatMap((name, index) =>
    checkDns1123Label(name).map((why) => invalidValue(path.index(index), name, `${EACH_NAMESPACE}${why}`)),
  );
}

function pathRuleCauses(rule: NonNullable<Rule['nonResourceRules']>[number], at: FieldPath): FieldCause[] {
  const path = at.child('nonResourceURLs');
  const urls = rule.nonResourceURLs ?? [];
  const causes = verbCauses(rule.verbs, at.child('verbs'));
  if (urls.length === 0) causes.push(required(path, 'nonResourceURLs must contain at least one value'));
  else if (urls.includes('*')) {
    if (urls.length > 1) causes.push(invalidValue(path, urls, "if '*' is present, must not specify other non-resource URLs"));
  } else for (const [index, url] of urls.entries()) causes.push(...urlCauses(url, path.index(index)));
  return causes;
}

function urlCauses(url: string, at: FieldPath): FieldCause[] {
  if (url === '') return [invalidValue(at, url, 'must not be empty')];
  if (url === '/') return [];
  if (!url.startsWith('/')) return [invalidValue(at, url, 'must start with slash')];
  if (url.includes(' ')) return [invalidValue(at, url, 'must not contain white-space')];
  if (url.includes('//')) return [invalidValue(at, url, 'must not contain double slash')];
  const stars = url.split('*').length - 1;
  const isWrong = stars > 1 || (stars === 1 && !url.endsWith('/*'));
  return isWrong ? [invalidValue(at, url, 'wildcard can only do suffix matching')] : [];
}

export function priorityLevelCauses({ metadata, spec }: DeepReadonly<PriorityLevelConfiguration>): FieldCause[] {
  const type = SPEC.child('type');
  const causes: FieldCause[] = [];
  if ((metadata.name === 'exempt') !== (spec.type === 'Exempt')) {
    causes.push(invalidValue(type, spec.type ?? '', "must be 'Exempt' if and only if `name` is 'exempt'"));
  }
  if (spec.type === 'Exempt') {
    if (spec.limited) causes.push(forbiddenField(SPEC.child('limited'), 'must be nil if the type is not Limited'));
    return [...causes, ...shareCauses(spec.exempt ?? {}, SPEC.child('exempt'))];
  }
  if (spec.type !== 'Limited') return [...causes, notSupported(type, spec.type ?? '', ['Exempt', 'Limited'])];
  if (spec.exempt) causes.push(forbiddenField(SPEC.child('exempt'), 'must be nil if the type is Limited'));
  if (!spec.limited) return [...causes, required(SPEC.child('limited'), 'must not be empty when type is Limited')];
  return [...causes, ...limitedCauses(spec.limited, SPEC.child('limited'))];
}

interface Shares {
  readonly nominalConcurrencyShares?: number;
  readonly lendablePercent?: number;
}

/** Seats of a level that is exempt. */
function shareCauses({ nominalConcurrencyShares: shares, lendablePercent: lendable }: Shares, at: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if ((shares ?? 0) < 0) causes.push(invalidValue(at.child('nominalConcurrencyShares'), shares, 'must be a non-negative integer'));
  if (isSet(lendable) && (lendable < 0 || lendable > 100))
    causes.push(invalidValue(at.child('lendablePercent'), lendable, 'must be between 0 and 100, inclusive'));
  return causes;
}

/** Conditions of either kind's status: of a type, and of one type one. */
export function flowStatusCauses({ status }: DeepReadonly<FlowSchema | PriorityLevelConfiguration>): FieldCause[] {
  const seen = new Set<string>();
  return (status?.conditions ?? []).flatMap(({ type = '' }, index) => {
    const at = field('status', 'conditions').index(index).child('type');
    const causes = seen.has(type) ? [duplicateValue(at, type)] : [];
    seen.add(type);
    return type === '' ? [...causes, required(at, 'must not be empty')] : causes;
  });
}

type Limited = NonNullable<DeepReadonly<PriorityLevelConfiguration>['spec']['limited']>;

function limitedCauses(limited: Limited, at: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const { nominalConcurrencyShares: shares, lendablePercent: lendable, borrowingLimitPercent: borrowing } = limited;
  if ((shares ?? 0) < 0) causes.push(invalidValue(at.child('nominalConcurrencyShares'), shares, 'must be a non-negative integer'));
  causes.push(...responseCauses(limited.limitResponse, at.child('limitResponse')));
  if (lendable !== undefined && (lendable < 0 || lendable > 100)) {
    causes.push(invalidValue(at.child('lendablePercent'), lendable, 'must be between 0 and 100, inclusive'));
  }
  if (borrowing !== undefined && borrowing !== null && borrowing < 0) {
    causes.push(invalidValue(at.child('borrowingLimitPercent'), borrowing, 'if specified, must be a non-negative integer'));
  }
  return causes;
}

function responseCauses(response: Limited['limitResponse'], at: FieldPath): FieldCause[] {
  const type = response?.type ?? '';
  if (type === 'Reject')
    return response?.queuing ? [forbiddenField(at.child('queuing'), 'must be nil if limited.limitResponse.type is not Limited')] : [];
  if (type !== 'Queue') return [notSupported(at.child('type'), type, ['Queue', 'Reject'])];
  const path = at.child('queuing');
  if (!response?.queuing) return [required(path, 'must not be empty if limited.limitResponse.type is Limited')];
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = response.queuing;
  const causes: FieldCause[] = [];
  if (queueLengthLimit <= 0) causes.push(invalidValue(path.child('queueLengthLimit'), queueLengthLimit, 'must be positive'));
  if (queues <= 0) causes.push(invalidValue(path.child('queues'), queues, 'must be positive'));
  else if (queues > 10_000_000) causes.push(invalidValue(path.child('queues'), queues, 'must not be greater than 10000000'));
  if (handSize <= 0) causes.push(invalidValue(path.child('handSize'), handSize, 'must be positive'));
  else if (handSize > queues) causes.push(invalidValue(path.child('handSize'), handSize, `should not be greater than queues (${queues})`));
  else if (entropyBits(queues, handSize) > HASH_BITS) {
    const why = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${HASH_BITS}`;
    causes.push(invalidValue(path.child('handSize'), handSize, why));
  }
  return causes;
}

const HASH_BITS = 60;

/** Bits that it takes to deal a hand. */
function entropyBits(deck: number, hand: number): number {
  if (hand > HASH_BITS) return Number.POSITIVE_INFINITY; // More than that many factors of two at least.
  let bits = 0;
  for (let left = deck; left > deck - hand; left -= 1) bits += Math.log2(left);
  return Math.ceil(bits);
}
