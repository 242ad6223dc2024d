// SPDX-License-Identifier: Apache-2.0
// What a mutation makes of an object: an apply configuration that is merged in as server-side apply merges, without owning
// anything, or a JSON patch. @source upstream apiserver pkg/admission/plugin/policy/mutating/patch/{smd,json_patch}.go
import {
  applyJsonPatch,
  FailedTestError,
  findTypeProblem,
  type JsonPatchOperation,
  mergeConfiguration,
  type Schema,
  type StructSchema,
} from '#machinery';
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
  const problem = findTypeProblem(patch, schema, '');
  if (problem !== undefined) throw new MutationError(`error applying patch: failed to convert patch object to typed object: ${problem}`);
  const atomic = atomicPaths(patch, schema, '');
  if (atomic.length > 0) {
    const why = `may not mutate atomic arrays, maps or structs: ${atomic.join(', ')}`;
    throw new MutationError(`error applying patch: invalid ApplyConfiguration: ${why}`);
  }
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

/** Where a configuration would replace a whole that server-side apply never takes apart, and such wholes within it. */
function atomicPaths(value: unknown, schema: Schema | undefined, path: string): string[] {
  if (schema?.kind === 'list' && Array.isArray(value)) {
    const inner = value.flatMap((item, index) => atomicPaths(item, schema.element, `${path}[${index}]`));
    return schema.listType === 'atomic' ? [path, ...inner] : inner;
  }
  if ((schema?.kind !== 'map' && schema?.kind !== 'struct') || !isRecord(value)) return [];
  const inner = Object.entries(value).flatMap(([name, item]) =>
    schema.kind === 'map' ? [] : atomicPaths(item, schema.byName.get(name)?.schema, `${path}.${name}`),
  );
  return schema.mapType === 'atomic' && path !== '' ? [path, ...inner] : inner;
}

/** @throws {MutationError} */
export function applyPatch(value: Value, live: object, cel: Cel): unknown {
  if (!(value instanceof cel.ListValue)) throw new MutationError('type conversion error: JSONPatch expression must evaluate to a list');
  const operations = operationsOf(value, cel);
  try {
    return applyJsonPatch(live, operations);
  } catch (error) {
    // A patch whose test fails is left out.
    if (error instanceof FailedTestError) return live;
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
    if (value instanceof cel.StructValue) checkNames(value, value.name, cel);
    return {
      op,
      path,
      ...(from ? { from } : {}),
      ...(op === 'add' || op === 'replace' || op === 'test' ? { value: value === undefined ? null : jsonOf(value, cel) } : {}),
    };
  });
}
