// SPDX-License-Identifier: Apache-2.0
// ImagePolicyWebhook: a backend named by a kubeconfig file says whether a Pod's images may run; its verdicts are kept for a while.
// Off unless named, and needs its configuration. @source upstream plugin/pkg/admission/imagepolicy
import type { Pod } from '#api/core/v1';
import type { Clock } from '#component';
import { createWebhookClient, kubeconfigTarget, type WebhookClient, type WebhookClientDeps } from '../webhook-client/mod.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isOperation, refusal } from './match.ts';

interface Configuration {
  readonly kubeConfigFile?: string;
  /** Seconds. */
  readonly allowTTL?: number;
  readonly denyTTL?: number;
  /** Milliseconds. */
  readonly retryBackoff?: number;
  readonly defaultAllow?: boolean;
}

interface Verdict {
  readonly allowed?: boolean;
  readonly reason?: string;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

/** @source upstream's defaults: 5 min for both, 500 ms */
const DEFAULT_TTL_SECONDS = 300;
const DEFAULT_BACKOFF_MS = 500;
const ATTEMPTS = 5;
const CACHE_SIZE = 1024;
const TIMEOUT_MS = 30_000;

export interface ImagePolicyDeps {
  readonly clock: Clock;
  readonly client: WebhookClientDeps;
}

/** @throws {RangeError} Without a kubeconfig file. */
export function imagePolicyWebhook(configuration: unknown, deps: ImagePolicyDeps): AdmissionPlugin {
  const given = ((configuration as { imagePolicy?: Configuration } | undefined)?.imagePolicy ?? configuration ?? {}) as Configuration;
  if (!given.kubeConfigFile) throw new RangeError('configure ImagePolicyWebhook: kubeConfigFile is required');
  const client = createWebhookClient(kubeconfigTarget(given.kubeConfigFile), deps.client);
  const verdicts = new Map<string, { readonly verdict: Verdict; readonly until: number }>();
  const { allowTTL = DEFAULT_TTL_SECONDS, denyTTL = DEFAULT_TTL_SECONDS, retryBackoff = DEFAULT_BACKOFF_MS, defaultAllow = false } = given;

  async function verdictOn(request: AdmissionRequest, spec: object): Promise<Verdict> {
    const key = JSON.stringify(spec);
    const known = verdicts.get(key);
    if (known !== undefined && known.until > deps.clock.now()) return known.verdict;
    const review = { apiVersion: 'imagepolicy.k8s.io/v1alpha1', kind: 'ImageReview', metadata: {}, spec };
    const verdict = await ask(client, review, { clock: deps.clock, backoffMs: retryBackoff, signal: request.signal });
    verdicts.set(key, { verdict, until: deps.clock.now() + (verdict.allowed === true ? allowTTL : denyTTL) * 1000 });
    const [oldest] = verdicts.keys();
    if (verdicts.size > CACHE_SIZE && oldest !== undefined) verdicts.delete(oldest);
    return verdict;
  }

  return {
    name: 'ImagePolicyWebhook',
    handles: (request) =>
      request.resource.group === '' &&
      request.resource.resource === 'pods' &&
      (request.subresource === '' || request.subresource === 'ephemeralcontainers') &&
      isOperation(request, 'CREATE', 'UPDATE'),
    async validate(request) {
      let verdict: Verdict;
      try {
        verdict = await verdictOn(request, specOf(request));
      } catch (error) {
        if (request.signal?.aborted || !defaultAllow) throw refusal(request, error instanceof Error ? error.message : String(error));
        request.annotate?.('imagepolicywebhook.image-policy.k8s.io/failed-open', 'true');
        return;
      }
      for (const [key, value] of Object.entries(verdict.auditAnnotations ?? {})) {
        request.annotate?.(`imagepolicywebhook.image-policy.k8s.io/${key}`, value);
      }
      if (verdict.allowed === true) return;
      if (verdict.reason) throw refusal(request, `image policy webhook backend denied one or more images: ${verdict.reason}`);
      throw refusal(request, 'one or more images rejected by webhook backend');
    },
  };
}

function specOf({ object, namespace, subresource }: AdmissionRequest): object {
  const { spec, metadata } = object as unknown as Pod;
  const all =
    subresource === 'ephemeralcontainers'
      ? (spec.ephemeralContainers ?? [])
      : [...(spec.containers ?? []), ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => key.includes('.image-policy.k8s.io/'));
  return { containers: all.map(({ image = '' }) => ({ image })), annotations: Object.fromEntries(annotations), namespace };
}

interface Patience {
  readonly clock: Clock;
  readonly backoffMs: number;
  readonly signal: AbortSignal | undefined;
}

async function ask(client: WebhookClient, review: object, { clock, backoffMs, signal }: Patience): Promise<Verdict> {
  for (let attempt = 1, delay = backoffMs; ; attempt++, delay *= 1.5) {
    try {
      const answer = (await client.post(review, { timeoutMs: TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) })) as {
        status?: Verdict;
      };
      return answer.status ?? {};
    } catch (error) {
      if (attempt === ATTEMPTS || signal?.aborted) throw error;
      await clock.sleep(delay, signal);
    }
  }
}
