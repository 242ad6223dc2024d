// SPDX-License-Identifier: Apache-2.0
// The AuthorizationConfiguration file (apiserver.config.k8s.io, KEP-3221): authorizers in order, webhooks among them with their
// match conditions. Each webhook's connection is a kubeconfig file; in-cluster connections are refused.
import { type Clock, FlagError, type Logger, parseDuration } from '#component';
import { parseYaml } from '#machinery';
import type { CelType } from '../cel/mod.ts';
import { createWebhookClient, kubeconfigTarget } from '../webhook-client/mod.ts';
import type { Authorizer } from './authorizer.ts';
import { type ReviewSpec, webhookAuthorizer } from './webhook-authorizer.ts';

/** A built-in mode by its name, or an authorizer that is ready. */
export type AuthorizerChoice = string | Authorizer;

export interface AuthorizationDeps {
  readonly clock: Pick<Clock, 'now'>;
  readonly logger: Pick<Logger, 'warn'>;
}

interface WebhookConfiguration {
  readonly authorizedTTL?: string;
  readonly unauthorizedTTL?: string;
  readonly cacheAuthorizedRequests?: boolean;
  readonly cacheUnauthorizedRequests?: boolean;
  readonly timeout?: string;
  readonly subjectAccessReviewVersion?: string;
  readonly matchConditionSubjectAccessReviewVersion?: string;
  readonly failurePolicy?: string;
  readonly connectionInfo?: { readonly type?: string; readonly kubeConfigFile?: string };
  readonly matchConditions?: readonly { readonly expression?: string }[];
}

interface AuthorizerConfiguration {
  readonly type?: string;
  readonly name?: string;
  readonly webhook?: WebhookConfiguration;
}

const API_VERSIONS = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `apiserver.config.k8s.io/${version}`);
const LONGEST_TIMEOUT_MS = 30_000;

/** @param path For messages. @throws {FlagError} For what cannot be used. */
export async function parseAuthorizationConfiguration(text: string, path: string, deps: AuthorizationDeps): Promise<AuthorizerChoice[]> {
  const value = parseYaml(text).value as {
    apiVersion?: string;
    kind?: string;
    authorizers?: AuthorizerConfiguration[];
  } | null;
  const refuse = (why: string): never => {
    throw new FlagError(`authorization configuration "${path}" cannot be used: ${why}`);
  };
  if (value?.kind !== 'AuthorizationConfiguration' || !API_VERSIONS.includes(value.apiVersion ?? ''))
    return refuse(`its kind is ${value?.apiVersion} ${value?.kind}, wanted ${API_VERSIONS[0]} AuthorizationConfiguration`);
  const authorizers = value.authorizers ?? [];
  if (authorizers.length === 0) refuse('authorizers: Required value: at least one authorization mode must be defined');
  const names = new Set<string>();
  const chosen: AuthorizerChoice[] = [];
  for (const [index, authorizer] of authorizers.entries()) {
    const at = `authorizers[${index}]`;
    if (!authorizer.name) refuse(`${at}.name: Required value`);
    if (names.has(authorizer.name ?? '')) refuse(`${at}.name: Duplicate value: "${authorizer.name}"`);
    names.add(authorizer.name ?? '');
    if (authorizer.type !== 'Webhook') {
      if (authorizer.webhook !== undefined) refuse(`${at}.webhook: Invalid value: "non-null": may only be specified when type=Webhook`);
      chosen.push(authorizer.type ?? '');
      continue;
    }
    try {
      chosen.push(await webhookOf(authorizer, deps));
    } catch (error) {
      refuse(`${at}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return chosen;
}

async function webhookOf({ name = '', webhook = {} }: AuthorizerConfiguration, deps: AuthorizationDeps): Promise<Authorizer> {
  const duration = (field: 'authorizedTTL' | 'unauthorizedTTL' | 'timeout', otherwise: string | undefined) => {
    const text = webhook[field] ?? otherwise;
    if (text === undefined) throw new RangeError(`webhook.${field}: Required value`);
    return parseDuration(text);
  };
  const { connectionInfo, failurePolicy, subjectAccessReviewVersion: version, matchConditions = [] } = webhook;
  if (version !== 'v1' && version !== 'v1beta1') throw new RangeError('webhook.subjectAccessReviewVersion: Required value: v1 or v1beta1');
  if (failurePolicy !== 'NoOpinion' && failurePolicy !== 'Deny')
    throw new RangeError('webhook.failurePolicy: Required value: NoOpinion or Deny');
  if (connectionInfo?.type !== 'KubeConfigFile' || !connectionInfo.kubeConfigFile)
    throw new RangeError('webhook.connectionInfo: only type KubeConfigFile with kubeConfigFile is supported');
  const timeoutMs = duration('timeout', undefined);
  if (timeoutMs <= 0 || timeoutMs > LONGEST_TIMEOUT_MS)
    throw new RangeError(`webhook.timeout: Invalid value: "${webhook.timeout}": must be > 0s and <= 30s`);
  const authorizedTtlMs = webhook.cacheAuthorizedRequests === false ? 0 : duration('authorizedTTL', '5m');
  const unauthorizedTtlMs = webhook.cacheUnauthorizedRequests === false ? 0 : duration('unauthorizedTTL', '30s');
  return webhookAuthorizer({
    name,
    client: kubeconfigClient(connectionInfo.kubeConfigFile),
    version,
    authorizedTtlMs,
    unauthorizedTtlMs,
    timeoutMs,
    failurePolicy,
    matches: await compileConditions(matchConditions.map(({ expression = '' }) => expression)),
    ...deps,
  });
}

/** A client for what a kubeconfig file names; it can name no Service. */
export function kubeconfigClient(path: string): ReturnType<typeof createWebhookClient> {
  const resolver = {
    resolve: (): never => {
      throw new Error('find the address of a Service: a kubeconfig names none');
    },
  };
  return createWebhookClient(kubeconfigTarget(path), { resolver });
}

const STRING: CelType = { kind: 'string' };
const texts = (...names: string[]) => new Map<string, CelType>(names.map((name) => [name, STRING]));
const REQUEST: CelType = {
  kind: 'object',
  name: 'kubernetes.SubjectAccessReviewSpec',
  fields: new Map<string, CelType>([
    [
      'resourceAttributes',
      {
        kind: 'object',
        name: 'kubernetes.ResourceAttributes',
        fields: texts('namespace', 'verb', 'group', 'version', 'resource', 'subresource', 'name'),
      },
    ],
    ['nonResourceAttributes', { kind: 'object', name: 'kubernetes.NonResourceAttributes', fields: texts('path', 'verb') }],
    ['user', STRING],
    ['groups', { kind: 'list', element: STRING }],
    ['uid', STRING],
    ['extra', { kind: 'map', key: STRING, value: { kind: 'list', element: STRING } }],
  ]),
};
const COST_LIMIT = 1_000_000;

/** One that is false spares the question; one that fails is reported to whoever asks. @throws {RangeError} If one does not compile. */
async function compileConditions(expressions: readonly string[]): Promise<((spec: ReviewSpec) => boolean) | undefined> {
  if (expressions.length === 0) return undefined;
  const { compile, CostBudget } = await import('../cel/mod.ts');
  const programs = expressions.map((expression, index) => {
    const { errors, program } = compile(expression, { variables: { request: REQUEST }, result: 'bool' });
    if (program === undefined || errors.length > 0)
      throw new RangeError(
        `webhook.matchConditions[${index}].expression: Invalid value: "${expression}": compilation failed: ${errors.join('; ')}`,
      );
    return program;
  });
  return (spec) => {
    const budget = new CostBudget(COST_LIMIT);
    const request = { groups: [], uid: '', extra: {}, ...spec };
    return programs.every((program) => program.evaluate({ request }, budget) === true);
  };
}
