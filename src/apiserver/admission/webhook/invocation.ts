import { forbidden } from '#machinery';
import type { ServedResource } from '../../registry/generic/served-resource.ts';
import type { ObjectReader } from '../../registry/strategy.ts';
import type { AdmissionRequest } from '../admission.ts';
import { namespaceMatches, objectMatches } from '../selector-match.ts';
import type { CompiledWebhook } from './configurations.ts';
import type { Authorize } from './match-conditions.ts';
import { type RuleTarget, ruleMatches } from './rules.ts';
import { VersionedRequest } from './versioned-request.ts';
import type { WebhookMetrics, WebhookType } from './webhook-metrics.ts';

export interface Invocation {
  readonly webhook: CompiledWebhook;
  /** The request in the version that the webhook's rules name. */
  readonly versioned: VersionedRequest;
}

export interface MatchDeps {
  readonly reader: ObjectReader;
  /** Every served resource that shows the same objects, itself included. */
  readonly equivalents: (served: ServedResource) => readonly ServedResource[];
}

/** One request as webhooks see it; what several of them need is made once. */
export class MatchedRequest {
  readonly request: AdmissionRequest;
  readonly target: RuleTarget;
  readonly #deps: MatchDeps;
  readonly #versioned = new Map<ServedResource | undefined, VersionedRequest>();

  constructor(request: AdmissionRequest, deps: MatchDeps) {
    this.request = request;
    this.#deps = deps;
    this.target = targetOf(request);
  }

  /** What to call `webhook` with, or undefined if the request does not concern it. @throws {ApiError} */
  invocationOf(webhook: CompiledWebhook): Invocation | undefined {
    const inNamespace = namespaceMatches(webhook.namespaceSelector, this.request, this.target.namespace, this.#deps.reader);
    if (inNamespace === false || !objectMatches(webhook.objectSelector, this.request)) return undefined;
    const served = this.#matchingVersion(webhook);
    if (served === 'none') return undefined;
    if (inNamespace !== true) throw inNamespace;
    return { webhook, versioned: this.versioned(served) };
  }

  versioned(served: ServedResource | undefined): VersionedRequest {
    let found = this.#versioned.get(served);
    if (found === undefined) {
      found = new VersionedRequest(this.request, this.target, served);
      this.#versioned.set(served, found);
    }
    return found;
  }

  #matchingVersion({ rules, matchPolicy }: CompiledWebhook): ServedResource | undefined | 'none' {
    const { served } = this.request;
    if (rules.some((rule) => ruleMatches(rule, this.target))) return served;
    if (matchPolicy !== 'Equivalent' || served === undefined) return 'none';
    const others = this.#deps.equivalents(served);
    if (others.length < 2) return 'none';
    for (const rule of rules) {
      for (const other of others) {
        const { group, version, resource } = other.resource;
        if (
          other !== served &&
          hasSubresource(other, this.target.subresource) &&
          ruleMatches(rule, { ...this.target, group, version, resource })
        )
          return other;
      }
    }
    return 'none';
  }
}

/** Versions of a custom resource need not have the same ones. */
function hasSubresource({ resource }: ServedResource, subresource: string): boolean {
  return subresource === '' || resource.subresources.some(({ name }) => name === subresource);
}

function targetOf({ operation, resource: of, subresource, namespace, name }: AdmissionRequest): RuleTarget {
  const { group, version, resource } = of;
  const isNamespace = group === '' && resource === 'namespaces';
  return { operation, group, version, resource, subresource, namespace: isNamespace ? name : namespace };
}

/** Whether the webhook's match conditions let the call happen. @throws {ApiError} 403 where one cannot be evaluated and failurePolicy is Fail. */
export async function conditionsAllow({ webhook, versioned }: Invocation, deps: ConditionDeps): Promise<boolean> {
  const { conditions } = webhook;
  if (conditions === undefined) return true;
  const verdict = await conditions.evaluate(versioned, deps.authorize);
  const { operation, resource, name } = versioned.request;
  if (verdict.error === undefined) {
    if (!verdict.matches) deps.metrics?.excluded(webhook.name, deps.type, operation);
    return verdict.matches;
  }
  deps.metrics?.conditionFailed(webhook.name, deps.type, operation);
  if (webhook.failurePolicy === 'Ignore') return false;
  throw forbidden(resource, name, verdict.error);
}

export interface ConditionDeps {
  readonly authorize: Authorize;
  readonly type: WebhookType;
  readonly metrics?: WebhookMetrics | undefined;
}
