// SPDX-License-Identifier: Apache-2.0
// EventRateLimit: token buckets for Events, per server, namespace, user, or source and object. Off unless named, and needs its
// configuration. @source upstream plugin/pkg/admission/eventratelimit
import type { Event } from '#api/core/v1';
import { tooManyRequests } from '#machinery';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation } from './match.ts';

type LimitType = 'Server' | 'Namespace' | 'User' | 'SourceAndObject';

interface Limit {
  readonly type: LimitType;
  readonly qps: number;
  readonly burst: number;
  /** Buckets kept, the least used ones forgotten first. @default 4096 */
  readonly cacheSize?: number;
}

const DEFAULT_CACHE_SIZE = 4096;

const KEYS: Readonly<Record<LimitType, (request: AdmissionRequest) => string>> = {
  Server: () => '',
  Namespace: ({ namespace }) => namespace,
  User: ({ user }) => user.name,
  SourceAndObject({ object }) {
    const { source, involvedObject: of } = object as unknown as Event;
    const parts = [source?.component, source?.host, of?.kind, of?.namespace, of?.name, of?.uid, of?.apiVersion];
    return parts.map((part) => part ?? '').join('');
  },
};

interface Bucket {
  tokens: number;
  filledAt: number;
}

/** Buckets by key, in order of use. */
class Enforcer {
  readonly #limit: Limit;
  readonly #buckets = new Map<string, Bucket>();

  constructor(limit: Limit) {
    this.#limit = limit;
  }

  /** @throws {ApiError} 429 */
  accept(request: AdmissionRequest, now: number): void {
    const { type, qps, burst, cacheSize } = this.#limit;
    const key = KEYS[type](request);
    const bucket = this.#buckets.get(key) ?? { tokens: burst, filledAt: now };
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > (cacheSize || DEFAULT_CACHE_SIZE) && oldest !== undefined) this.#buckets.delete(oldest);
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.filledAt) / 1000) * qps);
    bucket.filledAt = now;
    if (bucket.tokens < 1) throw tooManyRequests(`limit reached on type ${type} for key ${key}`, 0);
    bucket.tokens -= 1;
  }
}

/** @throws {RangeError} Without a configuration, or with a limit that is none. */
export function eventRateLimit(configuration: unknown): AdmissionPlugin {
  const { limits = [] } = (configuration ?? {}) as { limits?: readonly Limit[] };
  if (limits.length === 0) throw new RangeError('configure EventRateLimit: limits: Invalid value: []: must not be empty');
  for (const [index, { type, qps, burst }] of limits.entries()) {
    if (KEYS[type] === undefined) throw new RangeError(`configure EventRateLimit: limits[${index}].type: Unsupported value: "${type}"`);
    if (!(qps > 0)) throw new RangeError(`configure EventRateLimit: limits[${index}].qps: Invalid value: ${qps}: must be positive`);
    if (!(burst > 0)) throw new RangeError(`configure EventRateLimit: limits[${index}].burst: Invalid value: ${burst}: must be positive`);
  }
  const enforcers = limits.map((limit) => new Enforcer(limit));
  return {
    name: 'EventRateLimit',
    handles: (request) => isFor(request, 'events') && isOperation(request, 'CREATE', 'UPDATE') && !request.dryRun,
    validate(request, { now }) {
      for (const enforcer of enforcers) enforcer.accept(request, now());
    },
  };
}
