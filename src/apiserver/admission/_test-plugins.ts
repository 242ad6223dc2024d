// SPDX-License-Identifier: Apache-2.0
// Runs one admission plugin over one request, against a world of given objects.
import assert from 'node:assert/strict';
import { pods } from '#api';
import type { KubeObject, Resource } from '#machinery';
import type { UserInfo } from '../auth/user.ts';
import type { MutableObject, ObjectReader } from '../registry/strategy.ts';
import type { AdmissionDeps, AdmissionOperation, AdmissionPlugin, AdmissionRequest } from './admission.ts';

export interface World {
  readonly objects?: Readonly<Record<string, readonly object[]>>;
  readonly allows?: (check: { readonly verb: string; readonly resource: string; readonly name: string }) => boolean;
  readonly now?: number;
  readonly warn?: (text: string) => void;
}

export const made: string[] = [];
export const updated: MutableObject[] = [];

export function depsOf({ objects = {}, allows = () => true, now = 0 }: World): AdmissionDeps {
  const of = (resource: Resource) => (objects[resource.resource] ?? []) as KubeObject[];
  const reader = {
    find: (resource: Resource, { name }: { name: string }) => of(resource).find(({ metadata }) => metadata.name === name),
    list: (resource: Resource) => of(resource),
  } as unknown as ObjectReader;
  return {
    reader,
    now: () => now,
    enabled: [],
    disabled: [],
    update: async (_resource, object) => void updated.push(object),
    create: async (resource, { metadata }) => void made.push(`${resource.resource}/${metadata.name}`),
    authorize: async (_user, check) => allows(check),
  };
}

export interface Given {
  readonly resource?: Resource;
  readonly subresource?: string;
  readonly operation?: AdmissionOperation;
  readonly object?: object;
  readonly oldObject?: object;
  readonly user?: UserInfo;
}

function requestOf(
  { warn = () => undefined }: World,
  {
    resource = pods as unknown as Resource,
    subresource = '',
    operation = 'CREATE',
    object,
    oldObject,
    user = { name: 'me', uid: '', groups: [], extra: {} },
  }: Given,
): AdmissionRequest {
  const meta = { metadata: { name: 'x', namespace: 'ns' } };
  return {
    operation,
    resource,
    subresource,
    namespace: 'ns',
    name: 'x',
    object: object === undefined ? undefined : ({ ...meta, ...object } as MutableObject),
    oldObject: oldObject === undefined ? undefined : ({ ...meta, ...oldObject } as MutableObject),
    dryRun: false,
    user,
    warn,
  };
}

/** Runs both passes. */
export async function admitted(plugin: AdmissionPlugin, given: Given, world: World = {}): Promise<MutableObject> {
  const request = requestOf(world, given);
  const deps = depsOf(world);
  if (plugin.handles(request)) {
    await plugin.admit?.(request, deps);
    await plugin.validate?.(request, deps);
  }
  return request.object as MutableObject;
}

export function refused(plugin: AdmissionPlugin, given: Given, message: RegExp, world: World = {}): Promise<void> {
  return assert.rejects(admitted(plugin, given, world), message);
}

export const pod = (spec: object, metadata: object = {}) => ({
  metadata: { name: 'x', ...metadata },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});
