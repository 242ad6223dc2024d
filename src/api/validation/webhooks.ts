// SPDX-License-Identifier: Apache-2.0
// Validation of webhook configurations: names, rules, client configurations, selectors, match conditions. Whether a match condition
// compiles is checked where expressions are compiled, in the API server.
// @source upstream pkg/apis/admissionregistration/validation/validation.go, apiserver pkg/util/webhook/validation.go
import {
  checkDns1035Label,
  checkDns1123Subdomain,
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  invalidValue,
  notSupported,
  required,
  semanticEqual,
  tooMany,
} from '../../machinery/mod.ts';
import type {
  MatchCondition,
  MutatingWebhook,
  RuleWithOperations,
  ServiceReference,
  ValidatingWebhook,
} from '../generated/admissionregistration/v1.ts';
import { choiceCauses, isSet, problems, selectorCauses } from './rules.ts';
import { parseUrl } from './webhook-url.ts';

type Webhook = DeepReadonly<ValidatingWebhook & Partial<Pick<MutatingWebhook, 'reinvocationPolicy'>>>;
type Configuration = { readonly webhooks?: readonly Webhook[] };

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const MAX_CONDITIONS = 64;
const REVIEW_VERSIONS = ['v1', 'v1beta1'];

/** What an update leaves unchecked, since the object was that way before. */
interface Leniency {
  readonly duplicateNames?: boolean;
  readonly anySideEffects?: boolean;
  readonly anyReviewVersions?: boolean;
}

export function webhooksCauses(configuration: Configuration, lenient: Leniency = {}): FieldCause[] {
  const names = new Set<string>();
  return (configuration.webhooks ?? []).flatMap((webhook, index) => {
    const at = field('webhooks').index(index);
    const causes = [...webhookCauses(webhook, at, lenient), ...reviewVersionCauses(webhook, at.child('admissionReviewVersions'), lenient)];
    const isTaken = names.has(webhook.name);
    if (webhook.name) names.add(webhook.name);
    return isTaken && !lenient.duplicateNames ? [...causes, duplicateValue(at.child('name'), webhook.name)] : causes;
  });
}

export function webhooksUpdateCauses(next: Configuration, previous: Configuration): FieldCause[] {
  const before = previous.webhooks ?? [];
  return webhooksCauses(next, {
    duplicateNames: new Set(before.map(({ name }) => name)).size < before.length,
    anySideEffects: before.some(({ sideEffects }) => sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun'),
    anyReviewVersions: before.some(
      ({ admissionReviewVersions: given = [] }) => given.length > 0 && !given.some((version) => REVIEW_VERSIONS.includes(version)),
    ),
  });
}

/** Whether an update touches any match condition: expressions that were stored by an older server are left alone. */
export function sameMatchConditions(next: Configuration, previous: Configuration): boolean {
  const conditions = ({ webhooks = [] }: Configuration) => webhooks.map(({ matchConditions }) => matchConditions ?? []);
  return semanticEqual(conditions(next), conditions(previous));
}

function webhookCauses(webhook: Webhook, path: FieldPath, { anySideEffects }: Leniency): FieldCause[] {
  const causes = qualifiedNameCauses(webhook.name, path.child('name'));
  for (const [index, rule] of (webhook.rules ?? []).entries()) causes.push(...operationRuleCauses(rule, path.child('rules').index(index)));
  causes.push(...choiceCauses(webhook.failurePolicy, ['Fail', 'Ignore'], path.child('failurePolicy')));
  causes.push(...choiceCauses(webhook.matchPolicy, ['Equivalent', 'Exact'], path.child('matchPolicy')));
  const side = path.child('sideEffects');
  if (!isSet(webhook.sideEffects)) causes.push(required(side, 'must specify one of None, NoneOnDryRun'));
  else {
    const allowed = ['None', 'NoneOnDryRun', ...(anySideEffects ? ['Some', 'Unknown'] : [])];
    causes.push(...choiceCauses(webhook.sideEffects, allowed, side));
  }
  const seconds = webhook.timeoutSeconds;
  if (seconds !== undefined && (seconds < 1 || seconds > 30)) {
    causes.push(invalidValue(path.child('timeoutSeconds'), seconds, 'the timeout value must be between 1 and 30 seconds'));
  }
  return [
    ...causes,
    ...selectorCauses(webhook.namespaceSelector, path.child('namespaceSelector')),
    ...selectorCauses(webhook.objectSelector, path.child('objectSelector')),
    ...clientConfigCauses(webhook.clientConfig, path.child('clientConfig')),
    ...choiceCauses(webhook.reinvocationPolicy, ['IfNeeded', 'Never'], path.child('reinvocationPolicy')),
    ...matchConditionsCauses(webhook.matchConditions, path.child('matchConditions')),
  ];
}

function qualifiedNameCauses(name: string | undefined, path: FieldPath): FieldCause[] {
  if (!name) return [required(path)];
  const wrong = checkDns1123Subdomain(name);
  if (wrong.length > 0) return [invalidValue(path, name, wrong.join(','))];
  if (name.split('.').length >= 3) return [];
  return [invalidValue(path, name, 'should be a domain with at least three segments separated by dots')];
}

function reviewVersionCauses({ admissionReviewVersions }: Webhook, path: FieldPath, { anyReviewVersions }: Leniency): FieldCause[] {
  const versions = admissionReviewVersions ?? [];
  if (versions.length === 0) return [required(path, `must specify one of ${REVIEW_VERSIONS.join(', ')}`)];
  const causes: FieldCause[] = [];
  for (const [index, version] of versions.entries()) {
    const isTaken = versions.indexOf(version) !== index;
    const wrong = isTaken ? ['duplicate version'] : checkDns1035Label(version);
    causes.push(...problems(wrong, path.index(index), version));
  }
  if (anyReviewVersions || versions.some((version) => REVIEW_VERSIONS.includes(version))) return causes;
  return [...causes, invalidValue(path, versions, `must include at least one of ${REVIEW_VERSIONS.join(', ')}`)];
}

function starCauses(values: readonly string[] | undefined, what: string, path: FieldPath): FieldCause[] {
  const list = values ?? [];
  if (list.length === 0) return [required(path)];
  return list.length > 1 && list.includes('*') ? [invalidValue(path, list, `if '*' is present, must not specify other ${what}`)] : [];
}

/** A rule of a webhook. */
export function operationRuleCauses(rule: DeepReadonly<RuleWithOperations>, path: FieldPath): FieldCause[] {
  const causes = starCauses(rule.operations, 'operations', path.child('operations'));
  for (const [index, operation] of (rule.operations ?? []).entries()) {
    if (!OPERATIONS.includes(operation)) causes.push(notSupported(path.child('operations').index(index), operation, OPERATIONS));
  }
  const versions = path.child('apiVersions');
  causes.push(
    ...starCauses(rule.apiGroups, 'API groups', path.child('apiGroups')),
    ...starCauses(rule.apiVersions, 'API versions', versions),
  );
  for (const [index, version] of (rule.apiVersions ?? []).entries()) if (version === '') causes.push(required(versions.index(index)));
  return [
    ...causes,
    ...ruleResourceCauses(rule.resources ?? [], path.child('resources')),
    ...choiceCauses(rule.scope, ['*', 'Cluster', 'Namespaced'], path.child('scope')),
  ];
}

function ruleResourceCauses(resources: readonly string[], path: FieldPath): FieldCause[] {
  if (resources.length === 0) return [required(path)];
  const causes: FieldCause[] = [];
  const [starred, everywhere] = [new Set<string>(), new Set<string>()];
  for (const [index, entry] of resources.entries()) {
    const at = path.index(index);
    if (entry === '') causes.push(required(at));
    const slash = entry.indexOf('/');
    if (slash < 0) continue;
    const [resource, subresource] = [entry.slice(0, slash), entry.slice(slash + 1)];
    if (starred.has(resource)) causes.push(invalidValue(at, entry, `if '${resource}/*' is present, must not specify ${entry}`));
    if (everywhere.has(subresource)) causes.push(invalidValue(at, entry, `if '*/${subresource}' is present, must not specify ${entry}`));
    if (subresource === '*') starred.add(resource);
    if (resource === '*') everywhere.add(subresource);
  }
  if (resources.length > 1 && resources.includes('*/*'))
    causes.push(invalidValue(path, resources, `if '*/*' is present, must not specify other resources`));
  // Upstream remembers the last entry without a subresource alone.
  const last = resources.findLast((entry) => entry !== '' && !entry.includes('/'));
  if (resources.includes('*') && last !== '*')
    causes.push(invalidValue(path, resources, `if '*' is present, must not specify other resources without subresources`));
  return causes;
}

function clientConfigCauses(config: Webhook['clientConfig'] | undefined, path: FieldPath): FieldCause[] {
  const { url, service } = config ?? {};
  if ((url === undefined) === (service === undefined)) return [required(path, 'exactly one of url or service is required')];
  return service ? webhookServiceCauses(service, path.child('service')) : webhookUrlCauses(url ?? '', path.child('url'));
}

/** The URL of a webhook: https, a host, and nothing that would be lost. */
export function webhookUrlCauses(url: string, path: FieldPath): FieldCause[] {
  const form = '; desired format: https://host[/path]';
  const parsed = parseUrl(url);
  if (typeof parsed === 'string') return [required(path, `url must be a valid URL: ${parsed}${form}`)];
  const { scheme, user, host, query, fragment } = parsed;
  const causes: FieldCause[] = [];
  if (scheme !== 'https') causes.push(invalidValue(path, scheme, `'https' is the only allowed URL scheme${form}`));
  if (host === '') causes.push(invalidValue(path, '', `host must be specified${form}`));
  if (user !== undefined) causes.push(invalidValue(path, user, 'user information is not permitted in the URL'));
  if (fragment !== '') causes.push(invalidValue(path, fragment, 'fragments are not permitted in the URL'));
  if (query !== '') causes.push(invalidValue(path, query, 'query parameters are not permitted in the URL'));
  return causes;
}

/** The Service of a webhook, with port and path. */
export function webhookServiceCauses({ name, namespace, port, path: url }: DeepReadonly<ServiceReference>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!name) causes.push(required(path.child('name'), 'service name is required'));
  if (!namespace) causes.push(required(path.child('namespace'), 'service namespace is required'));
  if (port !== undefined && (port < 1 || port > 65_535))
    causes.push(invalidValue(path.child('port'), port, 'port is not valid: must be between 1 and 65535, inclusive'));
  return url === undefined || url === '' || url === '/' ? causes : [...causes, ...urlPathCauses(url, path.child('path'))];
}

function urlPathCauses(url: string, path: FieldPath): FieldCause[] {
  if (url === '//') return [invalidValue(path, url, 'segment[0] may not be empty')];
  const causes = url.startsWith('/') ? [] : [invalidValue(path, url, `must start with a '/'`)];
  const segments = url.slice(1).replace(/\/$/, '').split('/');
  return [
    ...causes,
    ...segments.flatMap((segment, index) => {
      if (segment === '') return [invalidValue(path, url, `segment[${index}] may not be empty`)];
      return checkDns1123Subdomain(segment).map((why) => invalidValue(path, url, `segment[${index}]: ${why}`));
    }),
  ];
}

function matchConditionsCauses(conditions: readonly DeepReadonly<MatchCondition>[] = [], path: FieldPath): FieldCause[] {
  const names = new Set<string>();
  const causes = conditions.flatMap(({ name, expression }, index) => {
    const at = path.index(index);
    const found: FieldCause[] = [];
    if ((expression ?? '').trim() === '') found.push(required(at.child('expression')));
    if (!name) found.push(required(at.child('name')));
    else {
      found.push(...problems(checkQualifiedName(name), at.child('name'), name));
      if (names.has(name)) found.push(duplicateValue(at.child('name'), name));
      names.add(name);
    }
    return found;
  });
  return conditions.length > MAX_CONDITIONS ? [tooMany(path, conditions.length, MAX_CONDITIONS), ...causes] : causes;
}
