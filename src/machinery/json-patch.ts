// SPDX-License-Identifier: Apache-2.0
// JSON patch, RFC 6902, as upstream's library applies it: `replace` of a missing member of an object adds it, negative list
// indexes count from the end, `test` against a missing member equals null, `copy` of one gives null, and only `replace` and
// `test` may be of the whole document. Operations are all or nothing.
import { deepCopy, setOwn } from './deep-copy.ts';
import { deepEqual } from './deep-equal.ts';
import { unmarshalError } from './json-text.ts';

export interface JsonPatchOperation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** Upstream's limit on the operations of one patch. */
export const MAX_PATCH_OPERATIONS = 10_000;
/** Upstream's limit on what `copy` operations may add up to, in bytes. */
const MAX_COPY_BYTES = 3 * 1024 * 1024;

/** Thrown when a patch is well formed and cannot be applied. The server answers 422. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
}

/** Thrown when a `test` of a patch finds another value. */
export class FailedTestError extends PatchError {}

/** Thrown when a patch is malformed. The server answers 400, with the message after `error decoding patch: `. */
export class PatchSyntaxError extends Error {
  override readonly name = 'PatchSyntaxError';
}

type Container = Record<string, unknown> | unknown[];

/** Checks the form of a parsed patch. @throws {PatchSyntaxError} With the text that Go's decoder gives. */
export function checkJsonPatch(patch: unknown): readonly JsonPatchOperation[] {
  if (patch === null) return [];
  if (!Array.isArray(patch)) throw new PatchSyntaxError(unmarshalError(patch, '[]handlers.jsonPatchOp'));
  return patch.map(checkOperation);
}

const TEXTS = ['op', 'from', 'path'] as const;

/** Null counts as an operation that says nothing; it fails once applied. */
function checkOperation(operation: unknown): JsonPatchOperation {
  if (operation === null) return { op: 'unknown', path: '' };
  if (typeof operation !== 'object' || Array.isArray(operation))
    throw new PatchSyntaxError(unmarshalError(operation, 'handlers.jsonPatchOp'));
  for (const name of TEXTS) {
    const value = (operation as Record<string, unknown>)[name];
    if (value === undefined || value === null || typeof value === 'string') continue;
    throw new PatchSyntaxError(unmarshalError(value, 'string').replace('Go value', `Go struct field jsonPatchOp.${name}`));
  }
  return operation as JsonPatchOperation;
}

/** The result of a patch; `target` is not changed. @throws {PatchError} If an operation fails. */
export function applyJsonPatch(target: unknown, patch: readonly JsonPatchOperation[]): unknown {
  const document = { root: deepCopy(target) as unknown, copied: 0 };
  for (const operation of patch) applyOperation(document, operation);
  return document.root;
}

interface Document {
  root: unknown;
  copied: number;
}

function applyOperation(document: Document, operation: JsonPatchOperation): void {
  const { op, path } = operation;
  if (typeof path !== 'string') throw new PatchError(`missing value: ${op} operation: path`);
  switch (op) {
    case 'add':
      add(document, path, deepCopy(operandOf(operation)));
      break;
    case 'remove':
      remove(document, path);
      break;
    case 'replace':
      replace(document, path, deepCopy(operandOf(operation)));
      break;
    case 'move': {
      const from = locate(document, fromOf(operation), `move operation does not apply: doc is missing from path: ${fromOf(operation)}`);
      const value = within(`error in move for path: '${from.key}'`, () => take(from));
      const to = locate(document, path, `move operation does not apply: doc is missing destination path: ${path}`);
      within(`error in move for path: '${path}'`, () => put(to, value));
      break;
    }
    case 'copy': {
      const from = locate(document, fromOf(operation), `copy operation does not apply: doc is missing from path: ${fromOf(operation)}`);
      const value = deepCopy(within(`error in copy for from: '${fromOf(operation)}'`, () => read(from)) ?? null);
      const to = locate(document, path, `copy operation does not apply: doc is missing destination path: ${path}`);
      document.copied += Buffer.byteLength(JSON.stringify(value) ?? '');
      if (document.copied > MAX_COPY_BYTES) throw new PatchError('copy operations add up to more than the limit');
      within('error while adding value during copy', () => put(to, value));
      break;
    }
    case 'test':
      test(document, path, operation.value);
      break;
    default:
      throw new PatchError(`Unexpected kind: ${op}`);
  }
}

function operandOf(operation: JsonPatchOperation): unknown {
  return operation.value === undefined ? null : operation.value;
}

function fromOf(operation: JsonPatchOperation): string {
  if (typeof operation.from !== 'string') throw new PatchError(`missing value: ${operation.op} operation: from`);
  return operation.from;
}

function tokensOf(path: string): string[] {
  return path
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The last member that a path names, there or not. */
interface Place {
  readonly container: Container;
  readonly key: string;
}

/** What stands before the first slash of `path` is not looked at. @param missing What is said if there is no such container. */
function locate(document: Document, path: string, missing: string): Place {
  const tokens = tokensOf(path);
  let at = tokens.length === 0 ? undefined : document.root;
  for (const token of tokens.slice(0, -1)) at = member(at, token);
  if (typeof at !== 'object' || at === null) throw new PatchError(`${missing}: missing value`);
  return { container: at as Container, key: tokens.at(-1) ?? '' };
}

/** Says where it happened of what goes wrong. */
function within<T>(where: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof PatchError ? new PatchError(`${where}: ${error.message}`) : error;
  }
}

const INDEX = /^[+-]?\d+$/;

function member(container: unknown, token: string): unknown {
  if (Array.isArray(container)) return INDEX.test(token) ? container.at(Number(token)) : undefined;
  if (typeof container !== 'object' || container === null) return undefined;
  return Object.hasOwn(container, token) ? (container as Record<string, unknown>)[token] : undefined;
}

/** The place that an index names among `count`; negative ones count from the end. */
function indexIn(key: string, count: number): number {
  if (!INDEX.test(key)) throw new PatchError(`strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`);
  const index = Number(key);
  if (index < -count || index >= count) throw new PatchError(`Unable to access invalid index: ${index}: invalid index referenced`);
  return index < 0 ? index + count : index;
}

function read({ container, key }: Place): unknown {
  return Array.isArray(container) ? container[indexIn(key, container.length)] : member(container, key);
}

function put({ container, key }: Place, value: unknown): void {
  if (!Array.isArray(container)) setOwn(container, key, value);
  else if (key === '-') container.push(value);
  else if (INDEX.test(key)) container.splice(indexIn(key, container.length + 1), 0, value);
  else within(`value was not a proper array index: '${key}'`, () => indexIn(key, 0));
}

function take(place: Place): unknown {
  const value = read(place) ?? null;
  const { container, key } = place;
  if (Array.isArray(container)) container.splice(indexIn(key, container.length), 1);
  else if (Object.hasOwn(container, key)) delete container[key];
  else throw new PatchError(`Unable to remove nonexistent key: ${key}: missing value`);
  return value;
}

function add(document: Document, path: string, value: unknown): void {
  const place = locate(document, path, `add operation does not apply: doc is missing path: "${path}"`);
  within(`error in add for path: '${path}'`, () => put(place, value));
}

function remove(document: Document, path: string): void {
  const place = locate(document, path, `remove operation does not apply: doc is missing path: "${path}"`);
  within(`error in remove for path: '${path}'`, () => take(place));
}

function replace(document: Document, path: string, value: unknown): void {
  if (path === '') {
    if (typeof value !== 'object' || value === null) throw new PatchError('replace operation value must be object or array');
    document.root = value;
    return;
  }
  const { container, key } = locate(document, path, `replace operation does not apply: doc is missing path: ${path}`);
  if (!Array.isArray(container)) setOwn(container, key, value);
  else if (member(container, key) !== undefined) container[indexIn(key, container.length)] = value;
  else throw new PatchError(`replace operation does not apply: doc is missing key: ${path}: missing value`);
}

function test(document: Document, path: string, expected: unknown): void {
  let found: unknown = document.root;
  if (path !== '') {
    const place = locate(document, path, `test operation does not apply: is missing path: ${path}`);
    found = within(`error in test for path: '${path}'`, () => read(place));
  }
  if (!deepEqual(found ?? null, expected ?? null)) throw new FailedTestError(`testing value ${path} failed: test failed`);
}
