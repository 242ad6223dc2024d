// SPDX-License-Identifier: Apache-2.0
// Attempts to authenticate and to be authorized, by result. Most take microseconds; what they took is summed all the same.
// @source upstream apiserver pkg/endpoints/filters/metrics.go
import type { Metrics } from '#component';
import type { UserInfo } from '../auth/user.ts';
import { registerComputed } from './computed-metric.ts';
import { Histogram } from './histogram.ts';

const SECONDS = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384];
const WELL_KNOWN: ReadonlySet<string> = new Set(['admin', 'client', 'kube_proxy', 'kubelet', 'system:serviceaccount:kube-system:default']);

export class AuthMetrics {
  readonly #authentication = { success: new Histogram(SECONDS), failure: new Histogram(SECONDS) };
  readonly #authorization = { allowed: new Histogram(SECONDS), denied: new Histogram(SECONDS) };
  readonly #users = new Map<string, number>();

  constructor(metrics: Metrics) {
    const both = (prefix: string, total: string, help: string, results: Readonly<Record<string, Histogram>>) => {
      const entries = () => Object.entries(results).filter(([, { count }]) => count > 0);
      registerComputed(metrics, {
        name: total,
        help: `${help}, by result.`,
        type: 'counter',
        samples: () => entries().map(([result, { count }]) => ({ value: count, labels: { result } })),
      });
      const name = `${prefix}_duration_seconds`;
      registerComputed(metrics, {
        name,
        help: `${help}: how long they took, in seconds.`,
        type: 'histogram',
        samples: () => entries().flatMap(([result, histogram]) => [...histogram.samples(name, { result })]),
      });
    };
    both('authentication', 'authentication_attempts', 'Attempts to authenticate', this.#authentication);
    both('authorization', 'authorization_attempts_total', 'Attempts to be authorized', this.#authorization);
    registerComputed(metrics, {
      name: 'authenticated_user_requests',
      help: 'Requests of authenticated users, by what kind of name they have.',
      type: 'counter',
      samples: () => [...this.#users].map(([username, value]) => ({ value, labels: { username } })),
    });
  }

  authenticated(user: UserInfo | undefined, tookMs: number): void {
    this.#authentication[user === undefined ? 'failure' : 'success'].observe(tookMs / 1000);
    if (user === undefined) return;
    const name = compressed(user.name);
    this.#users.set(name, (this.#users.get(name) ?? 0) + 1);
  }

  authorized(allowed: boolean, tookMs: number): void {
    this.#authorization[allowed ? 'allowed' : 'denied'].observe(tookMs / 1000);
  }
}

/** Few enough names for a label. @source upstream compressUsername */
function compressed(name: string): string {
  if (WELL_KNOWN.has(name)) return name;
  return name.includes('@') ? 'email_id' : 'other';
}
