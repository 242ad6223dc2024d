// SPDX-License-Identifier: Apache-2.0
// Asks a webhook what a user may do (SubjectAccessReview), with answers kept for a while and match conditions that spare the
// question. What has been asked before is answered at once; anything else takes `authorizeAsync`.
// @source upstream apiserver plugin/pkg/authorizer/webhook, KEP-3221
import type { Clock, Logger } from '#component';
import type { Requirement } from '#machinery';
import { RETRY_MS, retried, type WebhookClient } from '../webhook-client/mod.ts';
import { type Attributes, type Authorizer, type Decision, NO_OPINION } from './authorizer.ts';
import { DecisionCache } from './decision-cache.ts';
import { untold } from './user-rules.ts';

export interface WebhookAuthorizerOptions {
  readonly name: string;
  readonly client: Pick<WebhookClient, 'post'>;
  /** `v1` or `v1beta1`, of authorization.k8s.io. */
  readonly version: string;
  readonly authorizedTtlMs: number;
  readonly unauthorizedTtlMs: number;
  readonly timeoutMs: number;
  /** What to say when the webhook cannot be asked. */
  readonly failurePolicy: 'NoOpinion' | 'Deny';
  /** False: this request is none of the webhook's business. */
  readonly matches?: ((spec: ReviewSpec) => boolean) | undefined;
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  readonly logger: Pick<Logger, 'warn'>;
}

export interface ReviewSpec {
  readonly resourceAttributes?: Readonly<Record<string, string | SelectorAttributes>>;
  readonly nonResourceAttributes?: { readonly path: string; readonly verb: string };
  readonly user: string;
  readonly groups?: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What a list or watch is confined to. */
interface SelectorAttributes {
  readonly requirements: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

interface ReviewStatus {
  readonly allowed?: boolean;
  readonly denied?: boolean;
  readonly reason?: string;
}

export function webhookAuthorizer(options: WebhookAuthorizerOptions): Authorizer {
  const cache = new DecisionCache<Decision>({
    clock: options.clock,
    ttlMs: ({ verdict }) => (verdict === 'allow' ? options.authorizedTtlMs : options.unauthorizedTtlMs),
  });
  const failed = (error: unknown): Decision => {
    options.logger.warn({ authorizer: options.name, error: String(error) }, 'Failed to make webhook authorizer request');
    const why = error instanceof Error ? error.message : String(error);
    return { verdict: options.failurePolicy === 'Deny' ? 'deny' : 'no-opinion', reason: '', error: why };
  };
  return {
    name: 'Webhook',
    authorize: (attributes) => cache.peek(JSON.stringify(specOf(attributes))) ?? NO_OPINION,
    userRules: () => untold('webhook'),
    async authorizeAsync(attributes) {
      const spec = specOf(attributes);
      try {
        if (options.matches?.(spec) === false) return NO_OPINION;
        return await (isSmall(attributes) ? cache.get(JSON.stringify(spec), () => ask(options, spec)) : ask(options, spec));
      } catch (error) {
        return failed(error);
      }
    },
  };
}

/** Larger questions are not kept: who asks them may want to fill the memory. @source upstream maxControlledAttrCacheSize */
const MAX_KEPT_CHARACTERS = 10_000;

function isSmall({ namespace, verb, group, version, resource, subresource, name, path }: Attributes): boolean {
  const parts = [namespace, verb, group, version, resource, subresource, name, path];
  return parts.reduce((sum, part) => sum + part.length, 0) < MAX_KEPT_CHARACTERS;
}

async function ask({ client, version, timeoutMs, clock }: WebhookAuthorizerOptions, spec: ReviewSpec): Promise<Decision> {
  const review = {
    kind: 'SubjectAccessReview',
    apiVersion: `authorization.k8s.io/${version}`,
    metadata: { creationTimestamp: null },
    spec: version === 'v1beta1' ? inBeta(spec) : spec,
    status: { allowed: false },
  };
  const answer = await retried(() => client.post(review, { timeoutMs }), { clock, initialMs: RETRY_MS });
  const { allowed = false, denied = false, reason = '' } = (answer as { status?: ReviewStatus } | null)?.status ?? {};
  if (allowed && denied) return { verdict: 'deny', reason, error: 'webhook subject access review returned both allow and deny response' };
  return { verdict: allowed ? 'allow' : denied ? 'deny' : 'no-opinion', reason };
}

/** v1beta1 says `group` where v1 says `groups`. */
function inBeta({ groups, ...rest }: ReviewSpec): object {
  return { ...rest, ...(groups === undefined ? {} : { group: groups }) };
}

function specOf(attributes: Attributes): ReviewSpec {
  const { user, verb, isResource, path, namespace, group, version, resource, subresource, name } = attributes;
  const given = { namespace, verb, group, version, resource, subresource, name };
  const asked = isResource
    ? {
        resourceAttributes: {
          ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '')),
          ...selectorsOf(attributes),
        },
      }
    : { nonResourceAttributes: { path, verb } };
  return {
    ...asked,
    user: user.name,
    ...(user.groups.length === 0 ? {} : { groups: user.groups }),
    ...(user.uid === '' ? {} : { uid: user.uid }),
    ...(Object.keys(user.extra).length === 0 ? {} : { extra: user.extra }),
  };
}

/** What compares numbers cannot be said. */
const LABEL_OPERATORS: Readonly<Partial<Record<Requirement['operator'], string>>> = {
  '=': 'In',
  in: 'In',
  '!=': 'NotIn',
  notin: 'NotIn',
  exists: 'Exists',
  '!': 'DoesNotExist',
};

function selectorsOf({ fieldSelector, labelSelector }: Attributes): Readonly<Record<string, SelectorAttributes>> {
  const fields = (fieldSelector?.() ?? []).map(({ field, operator, value }) => ({
    key: field,
    operator: operator === '=' ? 'In' : 'NotIn',
    values: [value],
  }));
  const labels = (labelSelector?.() ?? []).flatMap(({ key, operator, values }) => {
    const said = LABEL_OPERATORS[operator];
    return said === undefined ? [] : [{ key, operator: said, ...(values.length === 0 ? {} : { values: [...values] }) }];
  });
  return {
    ...(fields.length === 0 ? {} : { fieldSelector: { requirements: fields } }),
    ...(labels.length === 0 ? {} : { labelSelector: { requirements: labels } }),
  };
}
