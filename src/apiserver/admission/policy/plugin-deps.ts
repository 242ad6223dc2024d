// SPDX-License-Identifier: Apache-2.0
// What both policy plugins need of the server, and what no policy is ever about.

import type { ServedResource } from '../../registry/generic/served-resource.ts';
import type { ObjectReader } from '../../registry/strategy.ts';
import type { Authorize } from '../webhook/match-conditions.ts';
import { isExempt as isAdmissionConfiguration } from '../webhook/rules.ts';
import { VersionedRequest } from '../webhook/versioned-request.ts';
import type { Cel } from './environment.ts';
import type { MatchDeps, MatchedRequest } from './matching.ts';
import type { FindServed } from './params.ts';
import type { PolicyMetrics } from './policy-metrics.ts';

/** The expression library, loaded when a policy is first evaluated. */
export interface Engine {
  load(): Promise<void>;
  readonly cel: Cel;
}

/** The request in the version of a resource, loaded. */
export type Versions = (served: ServedResource | undefined) => Promise<VersionedRequest>;

export interface PolicyDeps extends MatchDeps {
  readonly reader: ObjectReader;
  readonly engine: Engine;
  readonly authorize: Authorize;
  readonly findServed: FindServed;
  readonly versionsOf: (matched: MatchedRequest) => Versions;
  /** In milliseconds. */
  readonly now: () => number;
  readonly metrics?: PolicyMetrics | undefined;
}

/** Each version is converted once per request. */
export function versionsOf({ request, target }: MatchedRequest): Versions {
  const known = new Map<ServedResource | undefined, VersionedRequest>();
  return async (served) => {
    let versioned = known.get(served);
    if (versioned === undefined) {
      versioned = new VersionedRequest(request, target, served);
      await versioned.load();
      known.set(served, versioned);
    }
    return versioned;
  };
}

const REVIEWS = new Set([
  'authentication.k8s.io/selfsubjectreviews',
  'authentication.k8s.io/tokenreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authorization.k8s.io/subjectaccessreviews',
]);

/** What configures admission, or only asks who may do what. @source upstream policy/generic/plugin.go, pkg/kubeapiserver/admission/exclusion */
export function isExempt(resource: { readonly group: string; readonly resource: string }): boolean {
  return isAdmissionConfiguration(resource) || REVIEWS.has(`${resource.group}/${resource.resource}`);
}
