// SPDX-License-Identifier: Apache-2.0
// The token with which a list goes on: upstream's form, base64 of JSON with `v`, `rv` and `start`, which is a key below what is listed.
// @source upstream apiserver pkg/storage/continue.go
import { badRequest, describeJson, explainJson } from '#machinery';

export interface ContinueToken {
  /** -1: what is there now. */
  readonly revision: number;
  /** The last key already given, below the namespace of the list. */
  readonly start: string;
}

const VERSION = 'meta.k8s.io/v1';

export function formatContinue({ revision, start }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: VERSION, rv: revision, start: `${start}\0` })).toString('base64url');
}

/** @throws {ApiError} 400 */
export function parseContinue(text: string): ContinueToken {
  const odd = text.search(/[^A-Za-z0-9_-]/);
  if (odd >= 0) refuse(`: illegal base64 data at input byte ${odd}`);
  if (text.length % 4 === 1) refuse(`: illegal base64 data at input byte ${text.length - 1}`);
  const { v, rv, start } = fieldsOf(Buffer.from(text, 'base64url'));
  if (v !== VERSION) refuse(`: server does not recognize this encoded version ${v}`);
  if (rv === 0) refuse(': incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (start === '') refuse(': encoded start key empty (version meta.k8s.io/v1)');
  const path = start.replace(/^\//, '');
  if (path !== '' && path.split('/').some((part) => part === '' || part === '.' || part === '..')) refuse(`: ${start}`);
  return { revision: rv, start: path.replace(/\0$/, '') };
}

interface Fields {
  readonly v: string;
  readonly rv: number;
  readonly start: string;
}

function fieldsOf(bytes: Buffer): Fields {
  const value = parsed(bytes);
  if (value === null) return { v: '', rv: 0, start: '' };
  if (typeof value !== 'object' || Array.isArray(value))
    refuse(`: json: cannot unmarshal ${kindOf(value)} into Go value of type storage.continueToken`);
  const { v, rv, start } = value as Readonly<Record<string, unknown>>;
  return { v: textOf(v, 'v'), rv: integerOf(rv), start: textOf(start, 'start') };
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return refuse(`: ${explainJson(bytes.toString('latin1'))}`);
  }
}

function textOf(value: unknown, field: string): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : misfit(kindOf(value), field, 'string');
}

function integerOf(value: unknown): number {
  if (value === undefined || value === null) return 0;
  return Number.isInteger(value) ? (value as number) : misfit(describeJson(value), 'rv', 'int64');
}

const kindOf = (value: unknown) => describeJson(value).replace(/^number .*/, 'number');

function misfit(what: string, field: string, type: string): never {
  return refuse(`: json: cannot unmarshal ${what} into Go struct field continueToken.${field} of type ${type}`);
}

function refuse(why: string): never {
  throw badRequest(`invalid continue token: continue key is not valid${why}`);
}
