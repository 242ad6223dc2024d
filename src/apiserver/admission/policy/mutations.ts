// SPDX-License-Identifier: Apache-2.0
// What a mutation makes of an object: an apply configuration that is merged in as server-side apply merges, without owning
// anything, or a JSON patch. @source upstream apiserver pkg/admission/plugin/policy/mutating/patch/{smd,json_patch}.go
import { applyJsonPatch, type JsonPatchOperation, mergeConfiguration, type Schema, type StructSchema } from '#machinery';
import type { ListValue, StructValue, Value } from '../../cel/mod.ts';
import type { Cel } from './environment.ts';

/** Thrown when a mutation's result cannot be used. */
export class MutationError extends Error {
  override readonly name = 'MutationError';
}

/** @throws {MutationError} */
export function applyConfiguration(value: Value, live: object, schema: StructSchema, cel: Cel): unknown {
  if (!(value instanceof cel.StructValue)) throw new MutationError('unexpected evaluation result type of ApplyConfiguration expression');
  checkNames(value, 'Object', cel);
  const patch = jsonOf(value, cel) as Record<string, unknown>;
  const atomic = atomicPaths(patch, schema, '');
  if (atomic.length > 0)
    throw new MutationError(`invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomic.join(', ')}`);
  return mergeConfiguration(live, patch, schema);
}

/** `Object.spec{}` only stands where `spec` does. */
function checkNames(value: Value, path: string, cel: Cel): void {
  if (value instanceof cel.ListValue) for (const item of value.values()) checkNames(item, path, cel);
  if (!(value instanceof cel.StructValue)) return;
  if (value.name !== path)
    throw new MutationError(
      `type mismatch: unexpected type name ${JSON.stringify(value.name)}, expected ${JSON.stringify(path)}, which matches field name path from root Object type`,
    );
  for (const [name, field] of value.fields) checkNames(field, `${path}.${name}`, cel);
}

function jsonOf(value: Value, cel: Cel): unknown {
  try {
    return cel.toJson(value);
  } catch (error) {
    throw new MutationError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Where a configuration would replace a whole that server-side apply never takes apart. */
function atomicPaths(value: unknown, schema: Schema | undefined, path: string): string[] {
  if (schema === undefined) return [];
  if (schema.kind === 'list') {
    if (schema.listType === 'atomic') return [path];
    return Array.isArray(value) ? value.flatMap((item, index) => atomicPaths(item, schema.element, `${path}[${index}]`)) : [];
  }
  if (!isRecord(value)) return [];
  if (schema.kind === 'map') {
    if (schema.mapType === 'atomic') return [path];
    return Object.entries(value).flatMap(([name, item]) => atomicPaths(item, schema.value, `${path}.${name}`));
  }
  if (schema.kind !== 'struct') return [];
  if (schema.mapType === 'atomic' && path !== '') return [path];
  return Object.entries(value).flatMap(([name, item]) => atomicPaths(item, schema.byName.get(name)?.schema, `${path}.${name}`));
}

/** @throws {MutationError} */
export function applyPatch(value: Value, live: object, cel: Cel): unknown {
  if (!(value instanceof cel.ListValue)) throw new MutationError('type conversion error: JSONPatch expression must evaluate to a list');
  const operations = operationsOf(value, cel);
  try {
    return applyJsonPatch(live, operations);
  } catch (error) {
    throw new MutationError(`JSON Patch: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function operationsOf(list: ListValue, cel: Cel): JsonPatchOperation[] {
  return list.values().map((item) => {
    const { fields } = item as StructValue;
    const text = (name: string) => {
      const found = fields.get(name);
      return typeof found === 'string' ? found : undefined;
    };
    const [op = '', path = '', from] = [text('op'), text('path'), text('from')];
    const value = fields.get('value');
    return {
      op,
      path,
      ...(from === undefined ? {} : { from }),
      ...(op === 'add' || op === 'replace' || op === 'test' ? { value: value === undefined ? null : jsonOf(value, cel) } : {}),
    };
  });
}
