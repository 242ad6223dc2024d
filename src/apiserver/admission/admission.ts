// SPDX-License-Identifier: Apache-2.0
// The admission contract: plugins see every write after authorization and decoding. Mutating ones may change `object`;
// validating ones run when the object is complete. Order is in chain.ts and nowhere else.
import type { DeepReadonly, Resource } from '#machinery';
import type { UserInfo } from '../auth/user.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject, ObjectReader } from '../registry/strategy.ts';

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface AdmissionRequest {
  readonly operation: AdmissionOperation;
  readonly resource: Resource;
  /** '' for the resource itself. */
  readonly subresource: string;
  readonly namespace: string;
  /** '' on a create with generateName. */
  readonly name: string;
  /** Absent on DELETE; on CONNECT the options object. */
  readonly object: MutableObject | undefined;
  /** Present on UPDATE and DELETE. */
  readonly oldObject: DeepReadonly<MutableObject> | undefined;
  readonly dryRun: boolean;
  readonly user: UserInfo;
  /** The resource as served, with its conversions: `object` is in the stored version. */
  readonly served?: ServedResource | undefined;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions of the request, made when asked for; a CONNECT has none. */
  readonly options?: (() => object | undefined) | undefined;
  /** Aborted when the client goes away. */
  readonly signal?: AbortSignal | undefined;
  /** Set by a mutating plugin that may want the whole pass repeated. */
  reinvocation?: Reinvocation | undefined;
  /** When its time is up, in milliseconds of the clock; absent where it has no bound. */
  readonly deadline?: number | undefined;
  /** Adds an annotation to the audit event, of that level or above; absent where nobody keeps one. */
  readonly annotate?: ((key: string, value: string, level?: 'Request') => void) | undefined;
  warn(text: string): void;
}

/**
 * One mutating pass may be followed by one more, over all plugins, when a plugin changed what another one has already seen.
 * @source upstream apiserver pkg/admission/reinvocation.go
 */
export class Reinvocation {
  /** Whether this is the second pass. */
  isReinvoke = false;
  #wanted = false;
  /** What each plugin remembers from its first pass, by plugin. */
  readonly state = new Map<string, unknown>();

  get wanted(): boolean {
    return this.#wanted;
  }

  want(): void {
    this.#wanted = true;
  }
}

export interface AdmissionDeps {
  readonly reader: ObjectReader;
  /** Writes that admission itself must make (quota status), as the API server. */
  readonly update: (resource: Resource, object: MutableObject, subresource: string) => Promise<void>;
  readonly create: (resource: Resource, object: MutableObject) => Promise<void>;
  /** The custom resource of a kind. */
  readonly findCustom?: ((group: string, version: string, kind: string) => Resource | undefined) | undefined;
  readonly now: () => number;
  readonly authorize: (user: UserInfo, attributes: AuthorizationCheck) => Promise<boolean>;
  /** Names in `--enable-admission-plugins` and `--disable-admission-plugins`. */
  readonly enabled: readonly string[];
  readonly disabled: readonly string[];
}

export interface AuthorizationCheck {
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

/** Refusal is a throw of `ApiError`; upstream's texts. */
export interface AdmissionPlugin {
  readonly name: string;
  handles(request: AdmissionRequest): boolean;
  admit?(request: AdmissionRequest, deps: AdmissionDeps): void | Promise<void>;
  validate?(request: AdmissionRequest, deps: AdmissionDeps): void | Promise<void>;
}
