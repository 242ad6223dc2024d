// SPDX-License-Identifier: Apache-2.0
// Asks a webhook whose a bearer token is (TokenReview), with answers kept for a while.
// @source upstream apiserver plugin/pkg/authenticator/token/webhook
import { createHash } from 'node:crypto';
import type { Clock, Logger } from '#component';
import { RETRY_MS, retried, type WebhookClient } from '../webhook-client/mod.ts';
import { DecisionCache } from './decision-cache.ts';
import type { TokenAuthenticator } from './token-authenticator.ts';
import type { Identification } from './tokens.ts';
import { AUTHENTICATED_GROUP } from './user.ts';

export interface WebhookTokenOptions {
  readonly client: Pick<WebhookClient, 'post'>;
  /** `v1` or `v1beta1`, of authentication.k8s.io. */
  readonly version: string;
  readonly cacheTtlMs: number;
  /** Of the API server. */
  readonly audiences: readonly string[];
  readonly clock: Pick<Clock, 'now' | 'sleep'>;
  readonly logger: Pick<Logger, 'warn'>;
}

/** @source upstream's request timeout of the webhook: 30 s */
const TIMEOUT_MS = 30_000;

interface ReviewStatus {
  readonly authenticated?: boolean;
  readonly error?: string;
  readonly audiences?: readonly string[];
  readonly user?: {
    readonly username?: string;
    readonly uid?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
}

export function webhookTokens(options: WebhookTokenOptions): TokenAuthenticator {
  const { client, version, cacheTtlMs, clock, logger } = options;
  const cache = new DecisionCache<Identification>({ clock, ttlMs: () => cacheTtlMs });
  const ask = async (token: string, audiences: readonly string[]): Promise<Identification> => {
    const review = {
      kind: 'TokenReview',
      apiVersion: `authentication.k8s.io/${version}`,
      metadata: { creationTimestamp: null },
      spec: { token, audiences },
    };
    const answer = await retried(() => client.post(review, { timeoutMs: TIMEOUT_MS }), { clock, initialMs: RETRY_MS });
    return identificationOf((answer as { readonly status?: ReviewStatus } | null)?.status ?? {}, audiences, options.audiences);
  };
  return {
    name: 'Webhook',
    async identify(token, asked) {
      const audiences = asked.length > 0 ? asked : options.audiences;
      try {
        return await cache.get(keyOf(token, audiences), () => ask(token, audiences));
      } catch (error) {
        logger.warn({ error: String(error) }, 'Failed to make webhook authenticator request');
        return { error: error instanceof Error ? error.message : String(error) };
      }
    },
  };
}

/** Tokens are secrets: the cache knows their hashes. */
function keyOf(token: string, audiences: readonly string[]): string {
  return createHash('sha256')
    .update(JSON.stringify([token, audiences]))
    .digest('base64');
}

function identificationOf(status: ReviewStatus, wanted: readonly string[], own: readonly string[]): Identification {
  if (status.authenticated !== true) return { error: status.error || 'webhook authentication failed' };
  // A webhook that says nothing of audiences speaks for those of the API server.
  const named = status.audiences?.length ? status.audiences : own;
  const audiences = wanted.filter((audience) => named.includes(audience));
  if (audiences.length === 0 && wanted.length > 0) return { error: 'token is not for any of the requested audiences' };
  const { username = '', uid = '', groups = [], extra = {} } = status.user ?? {};
  const all = groups.includes(AUTHENTICATED_GROUP) ? groups : [...groups, AUTHENTICATED_GROUP];
  return { user: { name: username, uid, groups: all, extra }, audiences };
}
