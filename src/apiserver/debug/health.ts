// SPDX-License-Identifier: Apache-2.0
// `/livez`, `/readyz` and `/healthz`: named checks, each also under a path of its own, some of them left out by `exclude`.
// @source upstream apiserver pkg/server/healthz/healthz.go, pkg/server/healthz.go
import { type ApiResult, plainText, type RequestContext } from '../request/context.ts';

export interface HealthCheck {
  readonly name: string;
  /** Undefined if all is well, else why not. */
  readonly check: () => string | undefined;
}

export interface HealthChecks {
  readonly livez: readonly HealthCheck[];
  readonly readyz: readonly HealthCheck[];
  readonly healthz: readonly HealthCheck[];
}

export type HealthRoot = keyof HealthChecks;

const SNIFF = { 'x-content-type-options': 'nosniff' };

export class Health {
  readonly #checks: HealthChecks;
  /** How often each check was looked at, by outcome; for metrics. */
  readonly #outcomes = new Map<
    string,
    { readonly name: string; readonly type: HealthRoot; success: number; error: number; healthy: boolean }
  >();

  constructor(checks: HealthChecks) {
    this.#checks = checks;
  }

  get outcomes(): Iterable<Readonly<{ name: string; type: HealthRoot; success: number; error: number; healthy: boolean }>> {
    return this.#outcomes.values();
  }

  /** The answer for a path, or undefined if it is none of these. */
  answer({ info: { path }, query }: RequestContext): ApiResult | undefined {
    const [, root = '', ...rest] = path.split('/');
    if (root !== 'livez' && root !== 'readyz' && root !== 'healthz') return undefined;
    const only = rest.join('/').replace(/\/$/, '');
    return only === '' ? this.#whole(root, query) : this.#one(root, only);
  }

  #one(root: HealthRoot, name: string): ApiResult {
    const found = this.#checks[root].find((check) => check.name === name);
    if (found === undefined) return plainText(404, '404 page not found\n');
    const why = this.#run(root, found);
    return why === undefined ? plainText(200, 'ok') : { ...plainText(500, `internal server error: ${why}\n`), headers: SNIFF };
  }

  #whole(root: HealthRoot, query: URLSearchParams): ApiResult {
    const excluded = new Set(query.getAll('exclude'));
    const lines: string[] = [];
    let failed = false;
    for (const check of this.#checks[root]) {
      if (excluded.delete(check.name)) {
        lines.push(`[+]${check.name} excluded: ok`);
        continue;
      }
      const why = this.#run(root, check);
      failed ||= why !== undefined;
      lines.push(why === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`);
    }
    if (excluded.size > 0) {
      const names = [...excluded].sort().map((name) => JSON.stringify(name));
      lines.push(`warn: some health checks cannot be excluded: no matches for ${names.join(',')}`);
    }
    const text = lines.join('\n');
    if (failed) return { ...plainText(500, `${text}\n${root} check failed\n`), headers: SNIFF };
    return { ...plainText(200, query.has('verbose') ? `${text}\n${root} check passed\n` : 'ok'), headers: SNIFF };
  }

  #run(type: HealthRoot, { name, check }: HealthCheck): string | undefined {
    const why = check();
    const key = `${type} ${name}`;
    let outcome = this.#outcomes.get(key);
    if (outcome === undefined) {
      outcome = { name, type, success: 0, error: 0, healthy: true };
      this.#outcomes.set(key, outcome);
    }
    outcome.healthy = why === undefined;
    if (why === undefined) outcome.success += 1;
    else outcome.error += 1;
    return why;
  }
}

export interface HealthFacts {
  /** Everything that has to be there at start is. */
  readonly started: () => boolean;
  readonly stopping: () => boolean;
  /** Why the store does not answer; undefined if it does. */
  readonly store: () => string | undefined;
  readonly cacheSynced: () => boolean;
  readonly rbac: boolean;
  readonly fairness: boolean;
  readonly extra: readonly HealthCheck[];
}

/** The hooks that upstream runs after its start and that have their like here. */
const HOOKS = [
  'generic-apiserver-start-informers',
  'start-apiextensions-informers',
  'start-apiextensions-controllers',
  'crd-informer-synced',
  'start-system-namespaces-controller',
  'start-cluster-authentication-info-controller',
  'start-kube-apiserver-identity-lease-controller',
  'start-kube-apiserver-identity-lease-garbage-collector',
  'start-legacy-token-tracking-controller',
  'start-service-ip-repair-controllers',
  'bootstrap-controller',
  'scheduling/bootstrap-system-priority-classes',
  'aggregator-reload-proxy-client-cert',
  'start-kube-aggregator-informers',
  'apiservice-registration-controller',
  'apiservice-status-remote-available-controller',
  'apiservice-status-local-available-controller',
  'apiservice-discovery-controller',
  'kube-apiserver-autoregistration',
];

/** The checks of each path, in upstream's order. */
export function healthChecks(facts: HealthFacts): HealthChecks {
  const well = () => undefined;
  const finished = () => (facts.started() ? undefined : 'not finished');
  const hook = (name: string): HealthCheck => ({ name: `poststarthook/${name}`, check: finished });
  const basic: HealthCheck[] = [
    { name: 'ping', check: well },
    { name: 'log', check: well },
    { name: 'etcd', check: facts.store },
  ];
  const hooks = [
    hook('start-apiserver-admission-initializer'),
    ...HOOKS.map(hook),
    ...(facts.fairness ? [hook('priority-and-fairness-config-consumer'), hook('priority-and-fairness-config-producer')] : []),
    ...(facts.rbac ? [hook('rbac/bootstrap-roles')] : []),
    { name: 'autoregister-completion', check: finished },
    hook('apiservice-openapi-controller'),
    hook('apiservice-openapiv3-controller'),
  ];
  const ready: HealthCheck[] = [
    { name: 'etcd-readiness', check: facts.store },
    { name: 'informer-sync', check: () => (facts.cacheSynced() ? undefined : '1 informers not started yet: [*cacher]') },
  ];
  const shutdown: HealthCheck = { name: 'shutdown', check: () => (facts.stopping() ? 'process is shutting down' : undefined) };
  return {
    livez: [...basic, ...facts.extra, ...hooks],
    healthz: [...basic, ...facts.extra, ...hooks],
    readyz: [...basic, ...ready, ...facts.extra, ...hooks, shutdown],
  };
}
