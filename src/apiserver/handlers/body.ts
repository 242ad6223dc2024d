// SPDX-License-Identifier: Apache-2.0
// Reads request bodies: size limit, media type, strictness, and the checks that the object is what the URL says.
// @source upstream apiserver pkg/endpoints/handlers/create.go, rest.go
import { type ApiError, badRequest, decodeJson, decodeProtobuf, decodeYaml, deepCopy, normalize, type StructSchema, unsupportedMediaType } from '#machinery';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import type { RequestContext } from '../request/context.ts';

/** @source upstream MaxRequestBodyBytes: 3 MiB */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation');
  return value === 'Strict' || value === 'Ignore' ? value : 'Warn';
}

/** The media type of a body, without parameters; JSON where none is named. */
export function mediaTypeOf(context: RequestContext): string {
  return (context.header('content-type').split(';')[0] ?? '').trim().toLowerCase();
}

interface Decoded {
  readonly object: MutableObject;
  readonly strictErrors: readonly string[];
}

/** Decodes the body as an object of `served`; defaults are not yet filled in. @throws {ApiError} 400, 413, 415. */
export async function readObject(context: RequestContext, served: ServedResource): Promise<MutableObject> {
  return readAs(context, served.schema, { kind: served.resource.kind, group: served.resource.group, version: served.resource.version });
}

export interface ExpectedKind {
  readonly kind: string;
  readonly group: string;
  readonly version: string;
}

/** Decodes the body as one kind; an absent apiVersion or kind is filled in. */
export async function readAs(context: RequestContext, schema: StructSchema, expected: ExpectedKind): Promise<MutableObject> {
  const { bodyObject } = context.request;
  const validation = fieldValidationOf(context.query);
  const apiVersion = expected.group === '' ? expected.version : `${expected.group}/${expected.version}`;
  const { object, strictErrors } =
    bodyObject === undefined ? await decodeBody(context, schema, validation, expected) : { object: normalize(deepCopy(bodyObject), schema) as MutableObject, strictErrors: [] };
  object.kind ||= expected.kind;
  object.apiVersion ||= apiVersion;
  if (object.apiVersion !== apiVersion) throw mismatch('apiVersion', object.apiVersion, apiVersion);
  if (object.kind !== expected.kind) throw wrongKind(object.kind, expected, object.apiVersion);
  report(context, strictErrors, validation, object, expected);
  return object;
}

async function decodeBody(context: RequestContext, schema: StructSchema, validation: FieldValidation, expected: ExpectedKind): Promise<Decoded> {
  const bytes = await context.request.readBody(MAX_BODY_BYTES);
  const type = mediaTypeOf(context);
  const strict = validation !== 'Ignore';
  try {
    switch (type) {
      case '':
      case 'application/json':
        return decodeJson(bytes, schema, { strict }) as unknown as Decoded;
      case 'application/yaml':
        return decodeYaml(bytes, schema, { strict }) as unknown as Decoded;
      case 'application/vnd.kubernetes.protobuf':
        return { object: decodeProtobuf(bytes, schema) as unknown as MutableObject, strictErrors: [] };
    }
  } catch (error) {
    throw undecodable(error, bytes, expected);
  }
  throw unsupportedMediaType('the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf');
}

function undecodable(error: unknown, bytes: Uint8Array, { kind, version, group }: ExpectedKind): ApiError {
  const why = error instanceof Error ? error.message : String(error);
  const shown = JSON.stringify(Buffer.from(bytes.subarray(0, 1024)).toString());
  const where = group === '' ? version : version;
  if (why.startsWith("couldn't") || why.startsWith('Object ')) return badRequest(why);
  return badRequest(`${kind} in version ${JSON.stringify(where)} cannot be handled as a ${kind}: ${why}`, { cause: error, shown });
}

function mismatch(what: string, found: string, wanted: string): ApiError {
  return badRequest(`the API version in the data (${found}) does not match the expected API version (${wanted})${what === 'apiVersion' ? '' : what}`);
}

function wrongKind(found: string, expected: ExpectedKind, apiVersion: string): ApiError {
  const group = expected.group;
  const gvk = (kind: string) => `${group === '' ? '/' : `${group}/`}${expected.version}, Kind=${kind}`;
  return badRequest(`${found} in version ${JSON.stringify(apiVersion.split('/').at(-1))} cannot be handled as a ${expected.kind}: converting (${gvk(found)}) to (${gvk(expected.kind)}): unknown conversion`);
}

function report(context: RequestContext, errors: readonly string[], validation: FieldValidation, object: MutableObject, expected: ExpectedKind): void {
  if (errors.length === 0 || validation === 'Ignore') return;
  if (validation === 'Warn') {
    for (const error of errors) context.warn(error);
    return;
  }
  throw strictError(object, expected, errors);
}

/** The 400 of `fieldValidation=Strict`. */
export function strictError(_object: MutableObject, { kind, version }: ExpectedKind, errors: readonly string[]): ApiError {
  return badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: strict decoding error: ${errors.join(', ')}`);
}
