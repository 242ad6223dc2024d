// SPDX-License-Identifier: Apache-2.0
// The AuthorizationConfiguration file (apiserver.config.k8s.io, KEP-3221): authorizers in order, webhooks among them with their
// match conditions. A webhook's connection is a kubeconfig file, or that of a Pod to its cluster.
import { type Clock, FlagError, type Logger, parseDuration } from '#component';
import { type FieldCause, field, invalidValue, parseYaml } from '#machinery';
import type { CelType } from '../cel/mod.ts';
import { createWebhookClient, inClusterTarget, kubeconfigTarget } from '../webhook-client/mod.ts';
import { authorizationCauses } from './authorization-validation.ts';
import type { Authorizer } from './authorizer.ts';
import { describeProblems } from './field-problems.ts';
import { type ReviewSpec, webhookAuthorizer } from './webhook-authorizer.ts';

/** A built-in mode by its name, or an authorizer that is ready. */
export type AuthorizerChoice = string | Authorizer;

export interface AuthorizationDeps {
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  readonly logger: Pick<Logger, 'warn'>;
}

export interface WebhookConfiguration {
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

export interface AuthorizerConfiguration {
  readonly type?: string;
  readonly name?: string;
  readonly webhook?: WebhookConfiguration;
}

const API_VERSIONS = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `apiserver.config.k8s.io/${version}`);
/** @source upstream defaults of apiserver.config.k8s.io */
const AUTHORIZED_TTL_MS = 5 * 60_000;
const UNAUTHORIZED_TTL_MS = 30_000;

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
  if (!hasShape(authorizers)) return refuse('a field is not of the type that it must have');
  const causes = [...authorizationCauses(authorizers), ...(await expressionCauses(authorizers))];
  if (causes.length > 0) return refuse(describeProblems(causes));
  const chosen: AuthorizerChoice[] = [];
  for (const authorizer of authorizers) {
    try {
      chosen.push(authorizer.type === 'Webhook' ? await webhookOf(authorizer, deps) : (authorizer.type ?? ''));
    } catch (error) {
      refuse(error instanceof Error ? error.message : String(error));
    }
  }
  return chosen;
}

/** Whether what is given is of the types that the rules rely on. */
function hasShape(authorizers: unknown): authorizers is AuthorizerConfiguration[] {
  const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const texts = (value: Record<string, unknown>, ...names: string[]) =>
    names.every((name) => value[name] === undefined || typeof value[name] === 'string');
  const isWebhook = (webhook: unknown): boolean => {
    if (webhook === undefined) return true;
    if (!isRecord(webhook)) return false;
    const { connectionInfo = {}, matchConditions = [] } = webhook;
    return (
      texts(webhook, 'timeout', 'authorizedTTL', 'unauthorizedTTL', 'failurePolicy') &&
      texts(webhook, 'subjectAccessReviewVersion', 'matchConditionSubjectAccessReviewVersion') &&
      isRecord(connectionInfo) &&
      texts(connectionInfo, 'type', 'kubeConfigFile') &&
      Array.isArray(matchConditions) &&
      matchConditions.every((one) => isRecord(one) && texts(one, 'expression'))
    );
  };
  return Array.isArray(authorizers) && authorizers.every((one) => isRecord(one) && texts(one, 'type', 'name') && isWebhook(one['webhook']));
}

async function webhookOf({ name = '', webhook = {} }: AuthorizerConfiguration, deps: AuthorizationDeps): Promise<Authorizer> {
  const { connectionInfo, failurePolicy, subjectAccessReviewVersion: version, matchConditions = [] } = webhook;
  const ttl = (kept: boolean | undefined, text: string | undefined, otherwise: number) =>
    kept === false ? 0 : text ? parseDuration(text) : otherwise;
  return webhookAuthorizer({
    name,
    client: connectionInfo?.kubeConfigFile === undefined ? inClusterClient() : kubeconfigClient(connectionInfo.kubeConfigFile),
    version: version ?? 'v1',
    authorizedTtlMs: ttl(webhook.cacheAuthorizedRequests, webhook.authorizedTTL, AUTHORIZED_TTL_MS),
    unauthorizedTtlMs: ttl(webhook.cacheUnauthorizedRequests, webhook.unauthorizedTTL, UNAUTHORIZED_TTL_MS),
    timeoutMs: parseDuration(webhook.timeout ?? ''),
    failurePolicy: failurePolicy === 'Deny' ? 'Deny' : 'NoOpinion',
    matches: await compileConditions(matchConditions.map(({ expression = '' }) => expression)),
    ...deps,
  });
}

/** What is wrong with match conditions as expressions. */
async function expressionCauses(authorizers: readonly AuthorizerConfiguration[]): Promise<FieldCause[]> {
  if (!authorizers.some(({ webhook }) => (webhook?.matchConditions?.length ?? 0) > 0)) return [];
  const { compile } = await import('../cel/mod.ts');
  return authorizers.flatMap(({ webhook }, index) =>
    (webhook?.matchConditions ?? []).flatMap(({ expression = '' }, place) => {
      if (expression.trim() === '') return [];
      const { problem } = compile(expression, { variables: { request: REQUEST }, result: 'bool' });
      const at = field('authorizers').index(index).child('matchConditions').index(place).child('expression');
      return problem === undefined ? [] : [invalidValue(at, expression, problem)];
    }),
  );
}

/** A client for what a kubeconfig file names; it can name no Service. */
export function kubeconfigClient(path: string): ReturnType<typeof createWebhookClient> {
  return createWebhookClient(kubeconfigTarget(path), { resolver: NO_SERVICES });
}

/** A client for the cluster that this process runs in as a Pod. @throws {Error} Where it does not. */
function inClusterClient(): ReturnType<typeof createWebhookClient> {
  return createWebhookClient(inClusterTarget(process.env), { resolver: NO_SERVICES });
}

const NO_SERVICES = {
  resolve: (): never => {
    throw new Error('find the address of a Service: the connection names none');
  },
};

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

/** One that is false spares the question, whatever others say; one that fails is reported to whoever asks. */
async function compileConditions(expressions: readonly string[]): Promise<((spec: ReviewSpec) => boolean) | undefined> {
  if (expressions.length === 0) return undefined;
  const { compile, CostBudget } = await import('../cel/mod.ts');
  const programs = expressions.flatMap(
    (expression) => compile(expression, { variables: { request: REQUEST }, result: 'bool' }).program ?? [],
  );
  return (spec) => {
    const budget = new CostBudget(COST_LIMIT);
    const request = { groups: [], uid: '', extra: {}, ...spec };
    let problem: unknown;
    for (const program of programs) {
      try {
        if (program.evaluate({ request }, budget) === false) return false;
      } catch (error) {
        problem ??= error;
      }
    }
    if (problem !== undefined) throw problem;
    return true;
  };
}
