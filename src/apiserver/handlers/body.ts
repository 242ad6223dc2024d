// SPDX-License-Identifier: Apache-2.0
// Reads request bodies: size limit, media type, strictness, and the checks that the object is what the URL says.
// @source upstream apiserver pkg/endpoints/handlers/create.go, rest.go

import {
  type ApiError,
  badRequest,
  decodeJson,
  decodeProtobuf,
  decodeYaml,
  deepCopy,
  JsonSyntaxError,
  normalize,
  ProtobufError,
  parseYaml,
  type StructSchema,
  unmarshalError,
  unsupportedMediaType,
} from '#machinery';
import { acceptedTypes } from '../encoding/negotiation.ts';
import { conversionProblem, goTypeOf } from '../encoding/registered-kinds.ts';
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

/** A media type and its parameters. @source Go's mime.ParseMediaType, RFC 2045 */
const WITH_PARAMETERS = /^\s*([^;]+?)\s*(?:;\s*[\w!#$%&'*+.^`|~-]+=(?:"(?:[^"\\]|\\.)*"|[\w!#$%&'*+.^`|~-]+)\s*)*;?\s*$/;

/** The media type of a body, without parameters; JSON where none is named. What cannot be read is given as it is: nobody takes it. */
export function mediaTypeOf(context: RequestContext): string {
  const header = context.header('content-type');
  if (!header.includes(';')) return header.trim().toLowerCase();
  return (WITH_PARAMETERS.exec(header)?.[1] ?? header).toLowerCase();
}

interface Decoded {
  readonly object: MutableObject;
  readonly strictErrors: readonly string[];
  readonly warnings: readonly string[];
  readonly given?: unknown;
}

/** Decodes the body as an object of `served`; defaults are not yet filled in. @throws {ApiError} 400, 413, 415. */
export async function readObject(context: RequestContext, served: ServedResource): Promise<MutableObject> {
  return readAs(context, served.schema, { kind: served.resource.kind, group: served.resource.group, version: served.resource.version });
}

export interface ExpectedKind {
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  /** Versions that differ from it in name only. */
  readonly alsoVersions?: readonly string[];
}

/** Decodes the body as one kind; an absent apiVersion or kind is filled in. */
export async function readAs(context: RequestContext, schema: StructSchema, expected: ExpectedKind): Promise<MutableObject> {
  const { bodyObject } = context.request;
  const validation = fieldValidationOf(context.query);
  const apiVersion = expected.group === '' ? expected.version : `${expected.group}/${expected.version}`;
  const { object, strictErrors, warnings, given } =
    bodyObject === undefined
      ? await decodeBody(context, schema, validation, expected)
      : { object: normalize(deepCopy(bodyObject), schema) as MutableObject, strictErrors: [], warnings: [], given: bodyObject };
  context.given = given;
  object.kind ||= expected.kind;
  object.apiVersion ||= apiVersion;
  // Another kind in place of a custom one is a matter of validation, which comes later.
  if (object.kind !== expected.kind && schema.coerce === undefined) throw wrongKind(object.kind, expected, object.apiVersion);
  const also = expected.alsoVersions?.some((version) => object.apiVersion === `${expected.group}/${version}`);
  if (object.apiVersion !== apiVersion && also !== true) {
    const isKnown = schema.coerce !== undefined || goTypeOf(object.apiVersion, expected.kind) !== undefined;
    throw isKnown ? mismatch(object.apiVersion, apiVersion) : wrongKind(expected.kind, expected, object.apiVersion);
  }
  report(context, validation === 'Warn' ? warnings : strictErrors, validation, object, expected);
  context.audit?.requestObject(object);
  return object;
}

async function decodeBody(
  context: RequestContext,
  schema: StructSchema,
  validation: FieldValidation,
  expected: ExpectedKind,
): Promise<Decoded> {
  const bytes = await context.request.readBody(MAX_BODY_BYTES);
  const decoded = decodeAs(context, bytes, schema, validation !== 'Ignore', (error) => undecodable(error, bytes, expected));
  checkGroupVersion(decoded.object.apiVersion, (why) => unrecognized(why, bytes, expected));
  if (schema.coerce !== undefined) requireKind(decoded.object, bytes, expected);
  return decoded;
}

/** @param apiVersion Null in a custom object that says so. @throws What `explain` makes. */
export function checkGroupVersion(apiVersion: string | null | undefined, explain: (why: string) => ApiError): void {
  if (!apiVersion || apiVersion.indexOf('/') === apiVersion.lastIndexOf('/')) return;
  throw explain(`unexpected GroupVersion string: ${apiVersion}`);
}

function unrecognized(why: string, bytes: Uint8Array, { kind }: ExpectedKind, cause?: unknown): ApiError {
  return badRequest(`the object provided is unrecognized (must be of type ${kind}): ${why} (${summaryOf(bytes)})`, cause);
}

/** A custom object says itself what it is: no type stands behind it that would. @throws {ApiError} 400 */
function requireKind({ kind, apiVersion }: Partial<MutableObject>, bytes: Uint8Array, expected: ExpectedKind): void {
  if (!kind) {
    throw unrecognized(`Object 'Kind' is missing in '${Buffer.from(bytes).toString()}'`, bytes, expected);
  }
  if (!apiVersion) throw mismatch('', `${expected.group}/${expected.version}`);
}

/** Decodes bytes of the request's media type. @param explain The API's error for what cannot be decoded. @throws {ApiError} 415, and what `explain` makes. */
export function decodeAs(
  context: RequestContext,
  bytes: Uint8Array,
  schema: StructSchema,
  strict: boolean,
  explain: (error: unknown) => ApiError,
): Decoded {
  const { cbor } = context;
  try {
    switch (mediaTypeOf(context)) {
      case '':
      case 'application/json':
        return decodeJson(bytes, schema, { strict }) as unknown as Decoded;
      case 'application/yaml':
        return decodeYaml(bytes, schema, { strict }) as unknown as Decoded;
      case 'application/vnd.kubernetes.protobuf':
        if (schema.coerce !== undefined) break; // Custom objects have no protobuf form.
        if (bytes.length === 0) throw new ProtobufError('empty data');
        return { object: decodeProtobuf(bytes, schema) as unknown as MutableObject, strictErrors: [], warnings: [] };
      case 'application/cbor':
        if (cbor !== undefined) return decodeValue(cbor.decodeCbor(bytes), schema, strict);
    }
  } catch (error) {
    throw explain(error);
  }
  throw unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${acceptedTypes({ protobuf: true }, cbor).join(', ')}`,
  );
}

/** An object of a parsed value that says no more than JSON can. */
function decodeValue(value: unknown, schema: StructSchema, strict: boolean): Decoded {
  if (value !== null && (typeof value !== 'object' || Array.isArray(value)))
    throw new JsonSyntaxError(unmarshalError(value, 'map[string]interface {}'));
  const unknown: string[] = [];
  const object = normalize(value, schema, { strictErrors: strict ? unknown : undefined }) as MutableObject;
  return { object, strictErrors: unknown, warnings: unknown, given: value };
}

/** @throws {ApiError} 400 where an object names another namespace than the URL. */
export function checkNamespace({ namespace }: { readonly namespace?: string }, expected: string): void {
  if (namespace && namespace !== expected)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

/** How much of a body that is no object is shown. */
const SUMMARY_BYTES = 30;

function summaryOf(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>';
  const start = Buffer.from(bytes.subarray(0, SUMMARY_BYTES));
  const shown = start[0] === 0x7b ? start.toString() : start.toString('hex');
  return bytes.length > SUMMARY_BYTES ? `${shown} ...` : shown;
}

/** The words for a body that is no object of any kind. */
export function explainUnreadable(error: unknown): string {
  const why = error instanceof Error ? error.message : String(error);
  return error instanceof JsonSyntaxError && !/^(yaml|cbor): /.test(why) ? `couldn't get version/kind; json parse error: ${why}` : why;
}

/** @source upstream apiserver pkg/endpoints/handlers/rest.go transformDecodeError */
function undecodable(error: unknown, bytes: Uint8Array, expected: ExpectedKind): ApiError {
  const { kind, version } = expected;
  if (error instanceof JsonSyntaxError || error instanceof ProtobufError)
    return unrecognized(explainUnreadable(error), bytes, expected, error);
  const claimed = claimOf(bytes, expected);
  if (claimed.kind !== kind) return wrongKind(claimed.kind, expected, claimed.apiVersion);
  const why = error instanceof Error ? error.message : String(error);
  return badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: ${why}`, error);
}

/** What a body in JSON or YAML says it is: whether it could be that is asked before what is in it. */
function claimOf(bytes: Uint8Array, { kind, group, version }: ExpectedKind): { readonly kind: string; readonly apiVersion: string } {
  const claim = parsed(Buffer.from(bytes).toString()) as { kind?: string; apiVersion?: string };
  return { kind: claim.kind || kind, apiVersion: claim.apiVersion || (group === '' ? version : `${group}/${version}`) };
}

/** Of a text that is known to hold one. JSON may hold numbers that YAML has no room for. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return parseYaml(text).value;
  }
}

function mismatch(found: string, wanted: string): ApiError {
  return badRequest(`the API version in the data (${found}) does not match the expected API version (${wanted})`);
}

function wrongKind(found: string, expected: ExpectedKind, apiVersion: string): ApiError {
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  const start = `${found} in version ${JSON.stringify(version)} cannot be handled as a ${expected.kind}:`;
  return badRequest(`${start} ${conversionProblem(apiVersion, found, expected)}`);
}

function report(
  context: RequestContext,
  errors: readonly string[],
  validation: FieldValidation,
  object: MutableObject,
  expected: ExpectedKind,
): void {
  if (errors.length === 0 || validation === 'Ignore') return;
  if (validation === 'Warn') {
    for (const error of errors) context.warn(error);
    return;
  }
  throw strictError(object, expected, errors);
}

/** The 400 of `fieldValidation=Strict`. */
export function strictError(_object: MutableObject, { kind, version }: ExpectedKind, errors: readonly string[]): ApiError {
  return badRequest(
    `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: strict decoding error: ${errors.join(', ')}`,
  );
}
