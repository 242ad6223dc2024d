// SPDX-License-Identifier: Apache-2.0
// Finds resources and schemas by group, version and kind. Schemas are built from the generated facts on first need.
import { type Resource, type Schema, type SchemaFacts, SchemaRegistry, type StructSchema } from '#machinery';
import { RESOURCES } from './generated/resources.ts';
import facts from './generated/schema.json' with { type: 'json' };

const registry = new SchemaRegistry(facts as unknown as SchemaFacts);
const typeByGvk = new Map<string, string>();
for (const [name, type] of Object.entries(facts as unknown as SchemaFacts)) {
  for (const gvk of type.gvk ?? []) typeByGvk.set(`${gvk.group}/${gvk.version}/${gvk.kind}`, name);
}
const resourceByName = new Map(RESOURCES.map((resource) => [`${resource.group}/${resource.version}/${resource.resource}`, resource]));
const resourceByKind = new Map(RESOURCES.map((resource) => [`${resource.group}/${resource.version}/${resource.kind}`, resource]));

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** The schema of a built-in kind; undefined where 1.36 has no such kind. Lists are kinds too: `PodList`. */
export function findSchema(gvk: GroupVersionKind): StructSchema | undefined {
  const name = typeByGvk.get(`${gvk.group}/${gvk.version}/${gvk.kind}`);
  return name === undefined ? undefined : (registry.get(name) as StructSchema);
}

/** The schema of a type by its full name, `io.k8s.api.core.v1.PodSpec`. @throws {RangeError} If there is none. */
export function schemaOfType(name: string): Schema {
  return registry.get(name);
}

export function findResource(group: string, version: string, resource: string): Resource | undefined {
  return resourceByName.get(`${group}/${version}/${resource}`);
}

export function findResourceOfKind(gvk: GroupVersionKind): Resource | undefined {
  return resourceByKind.get(`${gvk.group}/${gvk.version}/${gvk.kind}`);
}
