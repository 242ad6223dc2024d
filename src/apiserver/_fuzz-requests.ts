// SPDX-License-Identifier: Apache-2.0
// Requests that are nearly right: recorded ones of every kind (and some of custom resources, policies and webhooks), changed in
// places, sent in every media type, with odd headers, by odd users. Each is made of a number, so that it can be made again.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findSchema } from '#api';
import { encodeProtobuf, formatYaml } from '#machinery';
import { encodeCbor } from '#machinery/cbor';

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly bodyText?: string;
}

const SCENARIOS = join(import.meta.dirname, '../../test/golden/scenarios');

/** The requests of the recordings, where they are at hand, without watches, which would take their time. */
export function recordedRequests(): readonly Recorded[] {
  if (!existsSync(SCENARIOS)) return [];
  const files = readdirSync(SCENARIOS).flatMap((area) => readdirSync(join(SCENARIOS, area)).map((name) => join(SCENARIOS, area, name)));
  return files.flatMap((file) => {
    const text = readFileSync(file, 'utf8')
      .replaceAll(/\$\{ns\}/g, 'default')
      .replaceAll(/\$\{\w+\}/g, 'x');
    const { steps } = JSON.parse(text) as { steps: { request?: Recorded }[] };
    return steps.flatMap(({ request }) =>
      request === undefined || takesTime(request) ? [] : [{ ...request, headers: lowerCase(request.headers) }],
    );
  });
}

/** Watches, and waits for a revision that is yet to come. */
function takesTime({ path, query = {} }: Recorded): boolean {
  return query['watch'] !== undefined || path.includes('/watch/') || Number(query['resourceVersion']) > 1e6;
}

/** As they come off the wire. */
function lowerCase(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Numbers from 0 to 1, the same for the same seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  roll(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  below(count: number): number {
    return Math.floor(this.roll() * count);
  }

  one<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  /** Once in `count` times. */
  rarely(count: number): boolean {
    return this.below(count) === 0;
  }
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

const ODD: readonly (() => unknown)[] = [
  () => null,
  () => '',
  () => 'x',
  () => 0,
  () => -1,
  () => 1.5,
  () => 2 ** 31,
  () => -(2 ** 63),
  () => 1e308,
  () => true,
  () => [],
  () => ({}),
  () => [null],
  () => [{}],
  () => ({ a: 'b' }),
  () => 'a'.repeat(300),
  () => 'é\u0000\ud800',
  () => '10.0.0.1',
  () => '300Mi',
  () => '-5',
  () => '99999999999999999999999999999',
  () => '2026-01-01T00:00:00Z',
  () => '/../%2e',
  () => 'self.spec.n > 1 && self.all(x, x.y == self)',
  () => '((((((((((((((((((((a))))))))))))))))))))',
  () => ({ matchLabels: { a: 'b' } }),
  () => nested(30),
];
const KEYS = [
  'metadata',
  'spec',
  'status',
  'name',
  'namespace',
  'labels',
  'annotations',
  'items',
  'kind',
  'apiVersion',
  '__proto__',
  'constructor',
  '$patch',
  'matchExpressions',
  'template',
  'x'.repeat(70),
];

/** Changes a copy in one place. */
export function changed(value: unknown, dice: Dice, others: readonly unknown[]): unknown {
  if (typeof value !== 'object' || value === null || dice.rarely(12)) return oddly(value, dice, others);
  if (Array.isArray(value)) return changedList(value, dice, others);
  const entries = Object.entries(value);
  if (entries.length === 0 || dice.rarely(10)) return { ...value, [dice.one(KEYS)]: dice.one(ODD)() };
  const [key, inner] = dice.one(entries);
  if (dice.rarely(10)) {
    const { [key]: _gone, ...rest } = value as Record<string, unknown>;
    return rest;
  }
  return { ...value, [key]: changed(inner, dice, others) };
}

function oddly(value: unknown, dice: Dice, others: readonly unknown[]): unknown {
  if (typeof value === 'string' && dice.rarely(2)) {
    const at = dice.below(value.length + 1);
    return (
      value.slice(0, at) + dice.one(['', '-', '.', '/', 'A', '%', '\u0000', 'é', ' ', '"', '${', ')']) + value.slice(at + dice.below(3))
    );
  }
  if (typeof value === 'number' && dice.rarely(2)) return value * dice.one([-1, 10, 1e10, 0.5]);
  return dice.rarely(4) && others.length > 0 ? dice.one(others) : dice.one(ODD)();
}

function changedList(value: readonly unknown[], dice: Dice, others: readonly unknown[]): unknown[] {
  if (value.length === 0) return [dice.one(ODD)()];
  const at = dice.below(value.length);
  switch (dice.below(6)) {
    case 0:
      return value.filter((_, index) => index !== at);
    case 1:
      return [...value, value[at]];
    case 2:
      return [...value].reverse();
    default:
      return value.map((item, index) => (index === at ? changed(item, dice, others) : item));
  }
}

const ACCEPTS = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/vnd.kubernetes.protobuf, application/json',
  'application/json;as=Table;v=v1;g=meta.k8s.io, application/json',
  'application/yaml;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,*/*',
  'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,*/*',
  'application/cbor',
  'constructor',
  'text/html',
  ';q=,,',
];
const PATCHES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
const BODIES = [
  'application/json',
  'application/yaml',
  'application/vnd.kubernetes.protobuf',
  'application/cbor',
  'application/apply-patch+cbor',
  'text/plain',
  '__proto__',
  ...PATCHES,
];
const QUERIES: readonly (readonly [string, readonly string[]])[] = [
  ['dryRun', ['All', 'x']],
  ['fieldManager', ['m', 'é', 'x'.repeat(200), '\u0000']],
  ['fieldValidation', ['Strict', 'Ignore', 'Warn', 'x']],
  ['force', ['true', 'x']],
  ['pretty', ['true']],
  ['limit', ['1', '-1', '99999999999999999999', 'x']],
  ['continue', ['x', 'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhXHUwMDAwIn0']],
  ['resourceVersion', ['0', '1', '-1', 'x']],
  ['resourceVersionMatch', ['Exact', 'NotOlderThan', 'x']],
  ['labelSelector', ['a=b', 'a in (b', '!a,c!=d', 'é']],
  ['fieldSelector', ['metadata.name=a', 'spec.x=y', '=']],
  ['includeObject', ['None', 'Object', 'x']],
  ['gracePeriodSeconds', ['0', '-1', 'x']],
  ['propagationPolicy', ['Foreground', 'x']],
];
const USERS = [
  { 'impersonate-user': 'ann' },
  { 'impersonate-user': 'system:node:n', 'impersonate-group': 'system:nodes' },
  { 'impersonate-user': 'system:serviceaccount:default:x', 'impersonate-extra-%zz': 'x' },
  { 'impersonate-group': 'x' },
  { authorization: 'Bearer x.y.z' },
  { authorization: `Basic ${'a'.repeat(5000)}` },
];

/** A request near to one of `recorded`. */
export function nearlyRight(seed: number, recorded: readonly Recorded[], others: readonly unknown[]): FuzzRequest {
  const dice = new Dice(seed);
  const base = dice.one(recorded);
  const query = new URLSearchParams(Object.entries(base.query ?? {}).map(([name, value]) => [name, String(value)] as [string, string]));
  while (dice.rarely(4)) {
    const [name, values] = dice.one(QUERIES);
    query.append(name, dice.one(values));
  }
  query.set('timeoutSeconds', '1');
  const headers: Record<string, string> = { ...base.headers };
  if (dice.rarely(4)) headers['accept'] = dice.one(ACCEPTS);
  if (dice.rarely(25)) Object.assign(headers, dice.one(USERS));
  if (dice.rarely(40)) headers['content-type'] = dice.one(BODIES);
  const method = dice.rarely(30) ? dice.one(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD']) : base.method;
  const path = dice.rarely(30) ? base.path.replace(/[^/]+$/, dice.one(['', 'x', '%zz', 'a'.repeat(300), '..', '%2F'])) : base.path;
  if (method === 'PATCH' && dice.rarely(6)) headers['content-type'] = dice.one(PATCHES);
  let body = base.body;
  for (let count = dice.below(4); count > 0 && body !== undefined; count--) body = changed(body, dice, others);
  return { method, path, query: query.toString(), headers, body: base.bodyText ?? encoded(withoutEndlessNames(body), headers, dice) };
}

/** Names that the server makes up would fill the store. */
function withoutEndlessNames(body: unknown): unknown {
  const metadata = (body as { metadata?: { generateName?: unknown } } | undefined)?.metadata;
  if (typeof metadata !== 'object' || metadata === null || metadata.generateName === undefined) return body;
  const { generateName: _gone, ...rest } = metadata;
  return { ...(body as object), metadata: { name: 'g', ...rest } };
}

/** In another media type, or with damage. */
function encoded(body: unknown, headers: Record<string, string>, dice: Dice): unknown {
  if (body === undefined) return undefined;
  if (dice.rarely(12)) return inOtherForm(body, headers, dice);
  if (!dice.rarely(20)) return body;
  const bytes = Buffer.from(JSON.stringify(body) ?? 'null');
  switch (dice.below(5)) {
    case 0:
      return bytes.subarray(0, dice.below(bytes.length + 1));
    case 1:
      if (bytes.length > 0) bytes[dice.below(bytes.length)] = dice.below(256); // Often no UTF-8.
      return bytes;
    case 2:
      return Buffer.from(bytes.toString(), 'utf16le');
    case 3:
      return `${'['.repeat(5_000)}${bytes.toString()}`;
    default:
      return bytes.toString().replace(/\d+/, '1'.repeat(400)).replace('{', '{"metadata":{},');
  }
}

function inOtherForm(body: unknown, headers: Record<string, string>, dice: Dice): unknown {
  const { apiVersion, kind } = (body ?? {}) as { apiVersion?: unknown; kind?: unknown };
  const [group = '', version = ''] = String(apiVersion).includes('/') ? String(apiVersion).split('/') : ['', String(apiVersion)];
  const form = dice.below(3);
  if (form === 0) {
    headers['content-type'] = 'application/yaml';
    return formatYaml(body);
  }
  if (form === 1) {
    headers['content-type'] = 'application/cbor';
    return encodeCbor(body);
  }
  const schema = findSchema({ group, version, kind: String(kind) });
  if (schema === undefined) return body;
  headers['content-type'] = 'application/vnd.kubernetes.protobuf';
  try {
    const bytes = encodeProtobuf(body as Record<string, unknown>, schema);
    if (dice.rarely(2)) bytes[dice.below(bytes.length)] = dice.below(256);
    return bytes;
  } catch {
    return body; // What does not fit its type has no such form.
  }
}
