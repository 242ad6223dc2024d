// SPDX-License-Identifier: Apache-2.0
// Service account tokens for Pods, from the TokenRequest API, bound to the Pod. Kept until 80 % of their life is over or a day
// has passed. @source upstream pkg/kubelet/token/token_manager.go

import type { TokenRequest } from '#api/authentication/v1';
import { serviceaccounts } from '#api/resources';
import type { Client } from '#client';
import type { Clock } from '#component';
import type { PodView } from '../pod/pod.ts';

interface Held {
  readonly token: string;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

const DAY_MS = 24 * 3_600_000;

export class Tokens {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async get(pod: PodView, audience: string | undefined, expirationSeconds: number): Promise<string> {
    const key = `${pod.metadata.uid}/${audience ?? ''}/${expirationSeconds}`;
    const held = this.#held.get(key);
    if (held !== undefined && this.#clock.now() < refreshAt(held)) return held.token;
    try {
      const fresh = await this.#request(pod, audience, expirationSeconds);
      this.#held.set(key, fresh);
      return fresh.token;
    } catch (error) {
      // The old one is still good: a short outage of the API must not take a volume down.
      if (held !== undefined && held.expiresAt > this.#clock.now()) return held.token;
      throw error;
    }
  }

  /** When a token of the Pod should be fetched anew; undefined if it has none. */
  nextRefresh(podUid: string): number | undefined {
    const times = [...this.#held].filter(([key]) => key.startsWith(`${podUid}/`)).map(([, held]) => refreshAt(held));
    return times.length === 0 ? undefined : Math.min(...times);
  }

  release(podUid: string): void {
    for (const key of this.#held.keys()) if (key.startsWith(`${podUid}/`)) this.#held.delete(key);
  }

  async #request(pod: PodView, audience: string | undefined, expirationSeconds: number): Promise<Held> {
    const name = pod.spec.serviceAccountName || 'default';
    const answer = await this.#client.createSubresource<TokenRequest>(
      serviceaccounts,
      { namespace: pod.metadata.namespace, name },
      'token',
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: audience === undefined ? [] : [audience],
          expirationSeconds,
          boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid },
        },
      },
    );
    return { token: answer.status.token, issuedAt: this.#clock.now(), expiresAt: Date.parse(answer.status.expirationTimestamp) };
  }
}

function refreshAt({ issuedAt, expiresAt }: Held): number {
  return Math.min(issuedAt + (expiresAt - issuedAt) * 0.8, issuedAt + DAY_MS);
}
