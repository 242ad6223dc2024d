// SPDX-License-Identifier: Apache-2.0
// A request in the version a webhook understands: its kind, its objects converted out of the stored version, and the way back for
// what a webhook has changed. Custom resources with a conversion webhook take time for both.
import { findSchema } from '#api';
import { DecodeError, type DeepReadonly, decodeJson, deepCopy, type StructSchema, semanticEqual } from '#machinery';
import { CachedObject } from '../../cacher/cached-object.ts';
import { scaleOf } from '../../handlers/scale.ts';
import { inServedVersion, type ServedResource } from '../../registry/generic/served-resource.ts';
import type { MutableObject } from '../../registry/strategy.ts';
import type { AdmissionRequest } from '../admission.ts';
import type { RuleTarget } from './rules.ts';

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

type Old = DeepReadonly<MutableObject>;

export class VersionedRequest {
  readonly request: AdmissionRequest;
  readonly target: RuleTarget;
  /** The resource in the version asked of the webhook. */
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string };
  readonly kind: GroupVersionKind;
  /** As the client asked. */
  readonly requestKind: GroupVersionKind;
  readonly #served: ServedResource | undefined;
  #object: Old | undefined;
  #oldObject: Old | undefined;

  constructor(request: AdmissionRequest, target: RuleTarget, served: ServedResource | undefined) {
    this.request = request;
    this.target = target;
    this.#served = served;
    const { group, version, resource } = served?.resource ?? request.resource;
    this.resource = { group, version, resource };
    this.kind = kindOf(served?.resource ?? request.resource, request.subresource);
    this.requestKind = kindOf(request.resource, request.subresource);
    this.#object = undefined;
    this.#oldObject = undefined;
  }

  /** As it was when last loaded. */
  get object(): Old | undefined {
    return this.#object;
  }

  get oldObject(): Old | undefined {
    return this.#oldObject;
  }

  /** Of `object`. */
  get schema(): StructSchema | undefined {
    return this.#object === undefined ? undefined : this.#schema(this.#object);
  }

  /** Takes the present state of the request: it changes with each mutating webhook. @throws {ApiError} 500 If a conversion fails. */
  async load(): Promise<void> {
    const { object, oldObject } = this.request;
    this.#object = object === undefined ? undefined : await this.#convert(object);
    if (oldObject !== undefined) this.#oldObject ??= await this.#convert(oldObject);
  }

  #convert(object: Old): Old | Promise<Old> {
    if (this.#isScaleOf(object)) return scaleOf(object, this.resource.resource === 'replicationcontrollers') as unknown as Old;
    const from = this.request.served;
    if (from === undefined || this.#served === undefined || !this.#isResourceItself(object)) return object;
    return this.#isOtherView ? viewAs(this.#served, from, object) : inServedVersion(this.#served, object);
  }

  /** Custom resources are in the version that was asked for here, each with a store of its own; all others in the stored one. */
  get #isOtherView(): boolean {
    return this.#served !== undefined && this.#served.store !== this.request.served?.store;
  }

  /** Subresources with a kind of their own (Eviction, Binding, PodExecOptions) are in one version only. */
  #isResourceItself({ kind }: Old): boolean {
    return kind === this.#served?.store.strategy.resource.kind;
  }

  #isScaleOf({ kind }: Old): boolean {
    return this.request.subresource === 'scale' && this.kind.kind === 'Scale' && kind !== 'Scale';
  }

  /**
   * Puts a changed object in the request's place.
   * @param strict Whether unknown fields are refused; those of custom resources never are.
   * @returns Whether it differs. @throws {DecodeError} If it does not fit its type.
   */
  async replaceObject(patched: unknown, strict = false): Promise<boolean> {
    const { object, served: from } = this.request;
    if (object === undefined) return false;
    if (this.#isScaleOf(object)) return replaceScale(object, patched);
    const found = decodeJson(JSON.stringify(patched), this.#schema(object), { strict });
    if (found.strictErrors.length > 0 && this.#served?.store.version === undefined)
      throw new DecodeError(`strict decoding error: ${found.strictErrors.join(', ')}`);
    const decoded = found.object as unknown as MutableObject;
    const changed = !semanticEqual(this.#object, decoded);
    if (this.#served === undefined || !this.#isResourceItself(object)) overwrite(object, decoded);
    else {
      const stored = this.#isOtherView && from !== undefined ? await viewAs(from, this.#served, decoded) : toStored(this.#served, decoded);
      const own = deepCopy(stored) as MutableObject;
      from?.store.strategy.applyDefaults(own);
      overwrite(object, own);
    }
    return changed;
  }

  #schema(object: Old): StructSchema {
    if (this.#served !== undefined && this.#isResourceItself(object)) return this.#served.schema;
    const found = findSchema(this.kind);
    if (found === undefined) throw new Error(`no kind "${this.kind.kind}" is registered for version "${this.kind.version}"`);
    return found;
  }
}

function toStored({ convert }: ServedResource, object: MutableObject): MutableObject {
  return convert === undefined ? object : convert.toStorage(object);
}

/** An object of one version of a custom resource as another version shows it. */
async function viewAs(to: ServedResource, from: ServedResource, object: Old): Promise<Old> {
  const copy = deepCopy(object) as MutableObject;
  const stored = from.store.version === undefined ? copy : await from.store.version.toStored(copy);
  if (to.store.version === undefined) return stored;
  const [viewed] = await to.store.version.viewAll([new CachedObject('', 0, stored)]);
  return viewed?.object ?? stored;
}

function kindOf(resource: AdmissionRequest['resource'], subresource: string): GroupVersionKind {
  const { group, version, kind } = resource;
  const own = subresource === '' ? undefined : resource.subresources.find(({ name }) => name === subresource);
  if (own === undefined || own.kind === kind) return { group, version, kind };
  return { group: own.group ?? group, version: own.version ?? version, kind: own.kind };
}

function overwrite(target: MutableObject, source: MutableObject): void {
  const to = target as unknown as Record<string, unknown>;
  for (const name of Object.keys(to)) if (!(name in source)) delete to[name];
  Object.assign(to, source);
}

/** Of a Scale only the wanted number goes back. */
function replaceScale(object: MutableObject, patched: unknown): boolean {
  const spec = object['spec'] as { replicas?: number };
  const wanted = (patched as { spec?: { replicas?: unknown } }).spec?.replicas ?? 0;
  if (typeof wanted !== 'number') throw new TypeError('json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32');
  const changed = (spec.replicas ?? 0) !== wanted;
  spec.replicas = wanted;
  return changed;
}
