// SPDX-License-Identifier: Apache-2.0
// What storing does to an object upstream, where it passes through protobuf: a list or map that is empty comes back as none, so
// that a field which is always printed reads null. Field ownership is booked before this, on the object as it was sent.
import type { Schema, StructSchema } from './schema.ts';

type Json = Record<string, unknown>;

/** A field that may have to be emptied, or that leads to one. */
interface Step {
  readonly name: string;
  readonly isContainer: boolean;
  readonly inner: StructSchema | undefined;
}

const plans = new WeakMap<StructSchema, readonly Step[]>();

/** Turns the empty lists and maps of always-printed fields into null, in place. */
export function emptyToNull(object: Json, schema: StructSchema): void {
  for (const { name, isContainer, inner } of planOf(schema)) {
    const value = object[name];
    if (typeof value !== 'object' || value === null) continue;
    if (isContainer && Object.keys(value).length === 0) object[name] = null;
    else if (inner !== undefined) descend(value, inner);
  }
}

function descend(value: object, inner: StructSchema): void {
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && item !== null) emptyToNull(item as Json, inner);
  } else emptyToNull(value as Json, inner);
}

function planOf(schema: StructSchema): readonly Step[] {
  let plan = plans.get(schema);
  if (plan === undefined) {
    plans.set(schema, []); // A type that refers to itself ends here.
    plan = schema.fields.flatMap((field): Step[] => {
      const isContainer = (field.schema.kind === 'list' || field.schema.kind === 'map') && field.omit === 'never' && !field.pointer;
      const inner = structWithin(field.schema);
      const leads = inner !== undefined && planOf(inner).length > 0;
      return isContainer || leads ? [{ name: field.name, isContainer, inner: leads ? inner : undefined }] : [];
    });
    plans.set(schema, plan);
  }
  return plan;
}

/** The struct that a field holds, alone or in a list. */
function structWithin(schema: Schema): StructSchema | undefined {
  if (schema.kind === 'struct') return schema;
  return schema.kind === 'list' && schema.element.kind === 'struct' ? schema.element : undefined;
}
