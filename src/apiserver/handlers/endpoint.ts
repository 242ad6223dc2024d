// SPDX-License-Identifier: Apache-2.0
// What a handler gets beside the request: the served resource, and the parts of the server that every verb shares.
import type { Clock, Logger } from '#component';
import type { DeepReadonly } from '#machinery';
import type { AdmissionOperation } from '../admission/admission.ts';
import type { Authorizer } from '../auth/authorizer.ts';
import type { Cacher } from '../cacher/cacher.ts';
import type { AdmissionCalls } from '../registry/generic/generic-store.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject, ObjectReader } from '../registry/strategy.ts';
import type { ApiResult, RequestContext } from '../request/context.ts';

export interface ServerParts {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long a watch lasts at least where its client does not say; up to twice that. @default 1800 */
  readonly minRequestTimeoutSeconds?: number;
  readonly cacher: Cacher;
  readonly reader: ObjectReader;
  readonly authorizer: Authorizer;
  readonly admission: AdmissionRunner;
  /** Reads pages at past revisions; the cache has only now. */
  readonly pages: PageReader;
}

/** Binds admission to one request. */
export interface AdmissionRunner {
  callsFor(
    context: RequestContext,
    served: ServedResource,
    operation: AdmissionOperation,
    subresource: string,
    dryRun: boolean,
    name: string,
    /** What the request's options say beyond its query: those of a delete. */
    options?: object,
  ): AdmissionCalls;
}

export interface PageReader {
  /** Objects under a prefix as of a revision, after a key. @throws {ApiError} 410 if that revision is compacted. */
  read(
    prefix: string,
    options: { revision: number; after: string; limit: number },
  ): Promise<{ items: readonly { key: string; revision: number; object: DeepReadonly<MutableObject> }[]; more: boolean; count: number }>;
}

export type ResourceHandler = (context: RequestContext, served: ServedResource, parts: ServerParts) => ApiResult | Promise<ApiResult>;
