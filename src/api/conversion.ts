// SPDX-License-Identifier: Apache-2.0
// Hub and spoke: which resources are stored in another group or version than they are served in, and the way there and back.
// Conversions make new objects; what they do not change they share with the old one.
import type { KubeObject, Resource } from '../machinery/mod.ts';
import { autoscalerFromStorage, autoscalerToStorage } from './autoscaling/conversion.ts';
import { eventFromStorage, eventToStorage } from './events/conversion.ts';

interface Conversion {
  readonly to: (object: KubeObject) => KubeObject;
  readonly from: (object: KubeObject) => KubeObject;
  readonly group: string;
  readonly version: string;
}

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  'events.k8s.io/v1/events': { to: eventToStorage, from: eventFromStorage, group: '', version: 'v1' },
  'autoscaling/v1/horizontalpodautoscalers': {
    to: autoscalerToStorage,
    from: autoscalerFromStorage,
    group: 'autoscaling',
    version: 'v2',
  },
};

const conversionOf = (of: Resource) => CONVERSIONS[`${of.group}/${of.version}/${of.resource}`];

/** The group and version in which a resource is stored: its own, save for the few that are served twice. */
export function storageVersionOf(resource: Resource): { readonly group: string; readonly version: string } {
  return conversionOf(resource) ?? resource;
}

/** An object as it is stored. The object itself where nothing changes. */
export function toStorage(resource: Resource, object: KubeObject): KubeObject {
  return conversionOf(resource)?.to(object) ?? object;
}

/** A stored object as `resource` serves it. */
export function fromStorage(resource: Resource, object: KubeObject): KubeObject {
  return conversionOf(resource)?.from(object) ?? object;
}
