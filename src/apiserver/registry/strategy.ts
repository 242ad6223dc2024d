// SPDX-License-Identifier: Apache-2.0
// What makes one resource different from another under the generic store: a `Strategy`, upstream's rest.RESTCreateStrategy and
// friends in one place. The generic store (generic/) owns names, uids, revisions, finalizers, managedFields and transactions;
// a strategy only fills, checks and describes. Objects are the caller's own copies and may be changed where a method says so.
import type { ApiError, DeepReadonly, FieldCause, KubeObject, ObjectRef, Resource, StructSchema } from '#machinery';
import type { UserInfo } from '../auth/user.ts';

/** An object under work: typed by the resource's own file, which casts once. */
export type MutableObject = KubeObject & Record<string, unknown>;

/** Reads other objects as of now, from the cache; for allocation, admission and authorization. */
export interface ObjectReader {
  find<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef): DeepReadonly<T> | undefined;
  list<T extends KubeObject>(resource: Resource<T>, namespace?: string): readonly DeepReadonly<T>[];
}

export interface RequestScope {
  readonly user: UserInfo;
  readonly namespace: string;
  /** In the version that was asked for. */
  readonly resource: Resource;
  readonly dryRun: boolean;
  readonly now: number;
  readonly reader: ObjectReader;
  /** Adds a `Warning` header. */
  warn(text: string): void;
}

/** How PUT and PATCH of one endpoint (the resource itself, or a subresource such as status) behave. */
export interface UpdateRules {
  /** Puts back what this endpoint may not change and fills what follows from the change (`metadata.generation`). Changes `next`. */
  prepareForUpdate(next: MutableObject, previous: DeepReadonly<MutableObject>, scope: RequestScope): void;
  /** After admission. @returns Every violation, in upstream's order. */
  validateUpdate(next: DeepReadonly<MutableObject>, previous: DeepReadonly<MutableObject>, scope: RequestScope): readonly FieldCause[];
  /** Texts for `Warning` headers of writes to this endpoint; `previous` is undefined on create. */
  warnings?(object: DeepReadonly<MutableObject>, previous: DeepReadonly<MutableObject> | undefined): readonly string[];
  /**
   * Top-level fields (`spec`, `status`) that this endpoint cannot change; they leave no trace in managedFields.
   * Paths deeper than one level are dotted: `spec.nodeName`.
   */
  readonly resetFields: readonly string[];
}

/** A subresource that takes and returns the object itself: status, finalize, approval, ephemeralcontainers, resize. */
export type SubresourceRules = UpdateRules;

/** Undone if the write fails, kept if it succeeds (dry-run: always undone). */
export interface Allocation {
  commit(): void | Promise<void>;
  revert(): void | Promise<void>;
}

export interface GracefulDeletion {
  /** False: delete at once. */
  readonly graceful: boolean;
  readonly gracePeriodSeconds: number;
}

export interface Strategy extends UpdateRules {
  readonly resource: Resource;
  readonly schema: StructSchema;
  /** PUT of an object that is not there creates it. */
  readonly allowCreateOnUpdate: boolean;
  /** PUT without a resourceVersion overwrites. */
  readonly allowUnconditionalUpdate: boolean;
  /** Fills the version's defaults, as upstream's SetDefaults functions. Called on decode, for every write and after a read of an older form. */
  applyDefaults(object: MutableObject): void;
  /** Whether what `prepareForCreate` fills in may depend on the name. @default false */
  readonly fillsByName?: boolean;
  /** Drops what a creator may not set (status), fills what follows. Changes `object`; before admission. */
  prepareForCreate(object: MutableObject, scope: RequestScope): void;
  /** After admission. */
  validate(object: DeepReadonly<MutableObject>, scope: RequestScope): readonly FieldCause[];
  /** The rule for `metadata.name`; undefined if fine. `prefix` when it is a generateName. */
  validateName(name: string, prefix: boolean): readonly string[];
  /** Takes what must be unique in the cluster (addresses, ports), before validation. Changes `object`. @throws {ApiError} If there is none. */
  allocate?(
    object: MutableObject,
    previous: DeepReadonly<MutableObject> | undefined,
    scope: RequestScope,
  ): Allocation | Promise<Allocation>;
  /** Gives it back, after the object is gone. */
  release?(object: DeepReadonly<MutableObject>): void | Promise<void>;
  /** Absent: never graceful. `asked` is the request's gracePeriodSeconds. */
  gracefulDeletion?(object: DeepReadonly<MutableObject>, asked: number | undefined): GracefulDeletion;
  /** What a delete still has to refuse, or undefined. */
  refuseDelete?(object: DeepReadonly<MutableObject>): ApiError | undefined;
  /** The value of a selectable field beyond `metadata.name` and `metadata.namespace`; undefined if it cannot be selected by. */
  fieldValue?(object: DeepReadonly<MutableObject>, field: string): string | undefined;
  /** Those fields' names. */
  readonly selectableFields: readonly string[];
  /** By name of the subresource. */
  readonly subresources: Readonly<Record<string, SubresourceRules>>;
  readonly table: TableColumns;
}

export interface TableColumn {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  /** 0 is shown always, 1 with `-o wide`. */
  readonly priority: number;
}

export interface TableColumns {
  readonly columns: readonly TableColumn[];
  /** The cells of one object, as many as columns. `now` in milliseconds, for ages. */
  cells(object: DeepReadonly<MutableObject>, now: number): readonly unknown[];
  /** The order of a list's rows, where it is not that of the list. */
  order?(a: DeepReadonly<MutableObject>, b: DeepReadonly<MutableObject>): number;
  /** `conditions` of the row: Pods that completed have one. */
  conditions?(
    object: DeepReadonly<MutableObject>,
  ): readonly { type: string; status: string; reason: string; message: string }[] | undefined;
  /** Annotations that are fields of upstream's internal form, of which rows and metadata are made: not shown there. */
  readonly hiddenAnnotations?: readonly string[];
}
