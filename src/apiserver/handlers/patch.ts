// SPDX-License-Identifier: Apache-2.0
// Reads a PATCH body: which of the four kinds it is, and whether it may be used here at all.
// @source upstream apiserver pkg/endpoints/handlers/patch.go

import { findSchema } from '#api';
import {
  type ApiError,
  apiError,
  applyJsonPatch,
  applyMergePatch,
  applyStrategicPatch,
  badRequest,
  checkJsonPatch,
  DecodeError,
  type Field,
  type FieldCause,
  goValue,
  invalid,
  type ListSchema,
  MAX_PATCH_OPERATIONS,
  normalize,
  PatchError,
  PatchSyntaxError,
  parseApiVersion,
  parseJson,
  parseYaml,
  requestEntityTooLarge,
  StrategicPatchError,
  type StructSchema,
  strictErrors,
  unmarshalError,
  unsupportedMediaType,
} from '#machinery';
import { conversionProblem, goTypeOf } from '../encoding/registered-kinds.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import type { RequestContext } from '../request/context.ts';
import { fieldValidationOf, MAX_BODY_BYTES, mediaTypeOf } from './body.ts';
import { flagOf } from './options.ts';

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export type Patch =
  | { readonly type: 'json' | 'merge' | 'strategic'; readonly apply: (object: MutableObject) => MutableObject }
  | {
      readonly type: 'apply';
      readonly object: MutableObject;
      readonly force: boolean;
      /** Says what the configuration names twice, once it has been applied. @throws {ApiError} 400 */
      readonly report: () => void;
    };

const TYPES: ReadonlyMap<string, PatchType> = new Map(
  Object.entries({
    'application/json-patch+json': 'json',
    'application/merge-patch+json': 'merge',
    'application/strategic-merge-patch+json': 'strategic',
    'application/apply-patch+yaml': 'apply',
  } as const),
);
const APPLY_CBOR = 'application/apply-patch+cbor';
const ANYTHING = { kind: 'any', name: '' } as const;
const OBJECT = 'map[string]interface {}';
/** What strict reading knows of a JSON patch. */
const OPERATIONS: ListSchema = { kind: 'list', listType: 'atomic', keys: [], element: operationSchema() };

const CUSTOM_TYPES = ['application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml'];

function operationSchema(): StructSchema {
  const fields = ['op', 'path', 'from', 'value'].map(
    (name): Field => ({
      name,
      element: `f:${name}`,
      schema: ANYTHING,
      pointer: false,
      omit: 'never',
      required: false,
      patchStrategy: [],
      patchMergeKey: undefined,
      default: undefined,
    }),
  );
  const byName = new Map(fields.map((field) => [field.name, field]));
  return { kind: 'struct', name: 'jsonPatchOp', fields, byName, protoFields: [], mapType: 'atomic' };
}

/** @param schema Of the resource: custom ones know no strategic patch. @throws {ApiError} 415 */
export function patchTypeOf(context: RequestContext, schema?: StructSchema): PatchType {
  const name = mediaTypeOf(context);
  const type = TYPES.get(name) ?? (name === APPLY_CBOR && context.cbor !== undefined ? 'apply' : undefined);
  if (schema?.coerce !== undefined && (type === undefined || type === 'strategic')) {
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${[...CUSTOM_TYPES, ...(context.cbor === undefined ? [] : [APPLY_CBOR])].join(', ')}`,
    );
  }
  if (type === undefined) throw apiError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
  return type;
}

/** What is wrong with the options of a patch of this type. */
export function patchCauses(query: URLSearchParams, type: PatchType): FieldCause[] {
  if (type === 'apply') {
    return query.get('fieldManager')
      ? []
      : [{ reason: 'FieldValueRequired', message: 'Required value: is required for apply patch', field: 'fieldManager' }];
  }
  return query.has('force')
    ? [{ reason: 'FieldValueForbidden', message: 'Forbidden: may not be specified for non-apply patch', field: 'force' }]
    : [];
}

type PatchedResource = Pick<ServedResource, 'schema' | 'apiVersion' | 'resource'>;

/** @throws {ApiError} 400, 413. What `apply` throws is an `ApiError` too. */
export async function readPatch(context: RequestContext, served: PatchedResource, type: PatchType): Promise<Patch> {
  if (type === 'apply') return readApply(context);
  const body = await readBody(context, type);
  context.audit?.requestObject(body.value);
  const mode = fieldValidationOf(context.query);
  const report = (errors: readonly string[], shown: () => string) => {
    if (errors.length === 0 || mode === 'Ignore') return;
    if (mode === 'Strict') throw invalidPatch(shown(), `strict decoding error: ${errors.join(', ')}`);
    for (const error of errors) context.warn(error);
  };
  const change = type === 'strategic' ? strategicChange : type === 'json' ? jsonChange : mergeChange;
  const keep = (document: unknown) => {
    context.given = document;
  };
  return { type, apply: (object) => change(object, { ...body, keep }, served, report) };
}

interface Body {
  readonly value: unknown;
  /** Takes the patched document before it is decoded. */
  readonly keep?: (document: unknown) => void;
  /** Keys that the patch itself has twice, and members of its operations that there are none of. */
  readonly duplicates: readonly string[];
}

type Report = (errors: readonly string[], shown: () => string) => void;

async function readBody(context: RequestContext, type: PatchType): Promise<Body> {
  const body =
    context.request.bodyObject === undefined ? await parseBody(context, type) : { value: context.request.bodyObject, duplicates: [] };
  const { value } = body;
  const prefix = type === 'strategic' ? '' : 'error decoding patch: ';
  if (type !== 'json') {
    if (typeof value !== 'object' || Array.isArray(value)) throw badRequest(`${prefix}${unmarshalError(value, OBJECT)}`);
    return body;
  }
  try {
    const operations = checkJsonPatch(value);
    if (operations.length <= MAX_PATCH_OPERATIONS) return body;
    throw requestEntityTooLarge(`The allowed maximum operations in a JSON patch is ${MAX_PATCH_OPERATIONS}, got ${operations.length}`);
  } catch (error) {
    throw error instanceof PatchSyntaxError ? badRequest(`${prefix}${error.message}`, error) : error;
  }
}

async function parseBody(context: RequestContext, type: PatchType): Promise<Body> {
  const text = Buffer.from(await context.request.readBody(MAX_BODY_BYTES)).toString();
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    const prefix = type === 'strategic' ? '' : 'error decoding patch: ';
    throw badRequest(`${prefix}${(error as Error).message}`, error);
  }
  if (fieldValidationOf(context.query) === 'Ignore') return { value, duplicates: [] };
  if (type !== 'json') return { value, duplicates: strictErrors(text, ANYTHING, value) };
  return { value, duplicates: strictErrors(text, OPERATIONS, value).map((error) => `json patch ${error}`) };
}

/** Upstream's text of this error does not tell what was wrong. */
function refusedPatch(): ApiError {
  return apiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
}

function jsonChange(object: MutableObject, { value, duplicates, keep }: Body, served: PatchedResource, report: Report): MutableObject {
  try {
    const document = applyJsonPatch(object, checkJsonPatch(value)) as MutableObject;
    keep?.(document);
    return typed(document, served, duplicates, report);
  } catch (error) {
    if (error instanceof PatchError) throw refusedPatch();
    throw error;
  }
}

function mergeChange(object: MutableObject, { value, duplicates, keep }: Body, served: PatchedResource, report: Report): MutableObject {
  const document = applyMergePatch(object, value) as MutableObject;
  keep?.(document);
  return typed(document, served, duplicates, report);
}

/** A patched document as an object of the resource's kind. */
function typed(
  document: MutableObject,
  { schema, apiVersion, resource }: PatchedResource,
  duplicates: readonly string[],
  report: Report,
): MutableObject {
  const shown = () => textOf(document);
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw invalidPatch(JSON.stringify(document), unmarshalError(document, OBJECT));
  document.kind ||= resource.kind;
  document.apiVersion ||= apiVersion;
  const problem = claimProblem(document);
  if (problem !== undefined) throw invalidPatch(shown(), problem);
  const unknown: string[] = [];
  // Another kind in place of a custom one is a matter of validation, which comes later.
  const isOther = (document.kind !== resource.kind && schema.coerce === undefined) || document.apiVersion !== apiVersion;
  const refuseOther = () => invalidPatch(shown(), conversionProblem(document.apiVersion, document.kind, resource));
  if (isOther && schema.coerce === undefined && isUnknownKind(document)) throw refuseOther();
  const other = document.kind === resource.kind ? undefined : schemaOfClaim(document);
  const result = fitting(document, other ?? schema, unknown, shown);
  if (isOther) throw refuseOther();
  report([...duplicates, ...unknown], shown);
  return result;
}

const isUnknownKind = ({ apiVersion, kind }: MutableObject) => goTypeOf(apiVersion, kind) === undefined;

/** What a document is comes first of all that is read of it. */
function claimProblem(document: MutableObject): string | undefined {
  const name = (['apiVersion', 'kind'] as const).find((member) => typeof document[member] !== 'string');
  if (name === undefined) return undefined;
  const error = unmarshalError(document[name], 'string').replace('Go value of type', `Go struct field .${name} of type`);
  return `couldn't get version/kind; json parse error: ${error}`;
}

/** Of the kind that a document says it is; undefined where that is none. */
function schemaOfClaim({ apiVersion, kind }: MutableObject): StructSchema | undefined {
  if (apiVersion.split('/').length > 2) return undefined;
  return findSchema({ ...parseApiVersion(apiVersion), kind });
}

function strategicChange(
  object: MutableObject,
  { value, duplicates, keep }: Body,
  { schema, apiVersion, resource }: PatchedResource,
  report: Report,
): MutableObject {
  const patch = (value ?? {}) as Record<string, unknown>;
  const shown = () => goValue(patch);
  let document: Record<string, unknown>;
  try {
    document = applyStrategicPatch(object, patch, schema);
  } catch (error) {
    if (error instanceof StrategicPatchError) throw strategicError(error);
    throw error;
  }
  keep?.(document);
  const unknown: string[] = [];
  const result = fitting(document, schema, unknown, shown, restoreError);
  // What a patch says of these is not looked at: the object is of its type.
  result.kind = resource.kind;
  result.apiVersion = apiVersion;
  report([...duplicates, ...unknown], shown);
  return result;
}

function strategicError({ status, message }: StrategicPatchError): ApiError {
  return status === 400 ? badRequest(message) : status === 422 ? refusedPatch() : apiError(500, '', message);
}

function fitting(
  document: object,
  schema: StructSchema,
  unknown: string[],
  shown: () => string,
  explain = (text: string) => text,
): MutableObject {
  try {
    return normalize(document as Record<string, unknown>, schema, { strictErrors: unknown }) as MutableObject;
  } catch (error) {
    if (error instanceof DecodeError) throw invalidPatch(shown(), explain(error.message));
    throw error;
  }
}

const GO_KINDS: Readonly<Record<string, string>> = { array: 'slice', object: 'map', number: 'int', bool: 'bool', string: 'string' };

/** The same fault as the converter from untyped values names it. */
function restoreError(text: string): string {
  const match = /^json: cannot unmarshal (\w+).* of type (.+)$/.exec(text);
  if (match === null) return text;
  const [, found = '', wanted = ''] = match;
  const kind = wanted.startsWith('[]') ? 'slice' : wanted.startsWith('map[') ? 'map' : wanted.includes('.') ? 'struct' : wanted;
  return kind === 'slice' || kind === 'map' || kind === 'struct'
    ? `cannot restore ${kind} from ${GO_KINDS[found] ?? found}`
    : `cannot convert ${GO_KINDS[found] ?? found} to ${kind}`;
}

function invalidPatch(value: string, why: string): Error {
  const message = `Invalid value: ${JSON.stringify(value)}: ${why}`;
  return invalid({ group: '', kind: '' }, '', [{ reason: 'FieldValueInvalid', message, field: 'patch' }]);
}

const META_ORDER = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
];
const ENTRY_ORDER = ['manager', 'operation', 'apiVersion', 'time', 'fieldsType', 'fieldsV1', 'subresource'];

/** A document as upstream shows it: members sorted, metadata in the order of its declaration. */
function textOf(document: MutableObject): string {
  const members = Object.keys(document).sort();
  return JSON.stringify(
    Object.fromEntries(members.map((name) => [name, name === 'metadata' ? metadataInOrder(document.metadata) : document[name]])),
  );
}

function metadataInOrder(metadata: unknown): unknown {
  const ordered = inOrder(metadata, META_ORDER);
  const { managedFields } = ordered;
  if (Array.isArray(managedFields)) ordered['managedFields'] = managedFields.map((entry) => inOrder(entry, ENTRY_ORDER));
  return ordered;
}

function inOrder(value: unknown, order: readonly string[]): Record<string, unknown> {
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.fromEntries(Object.entries(value ?? {}).sort(([a], [b]) => place(a) - place(b)));
}

async function readApply(context: RequestContext): Promise<Patch> {
  const force = flagOf(context.query, 'force') ?? false;
  const { bodyObject } = context.request;
  const { value, duplicates } =
    bodyObject === undefined
      ? readConfiguration(context, await context.request.readBody(MAX_BODY_BYTES))
      : { value: bodyObject, duplicates: [] };
  // Nothing at all is an object that says nothing.
  const object = value ?? {};
  if (typeof object !== 'object' || Array.isArray(object)) {
    throw badRequest(`error decoding YAML: error unmarshaling JSON: while decoding JSON: ${unmarshalError(object, OBJECT)}`);
  }
  context.audit?.requestObject(object);
  context.given = object;
  return { type: 'apply', object: object as MutableObject, force, report: () => reportDuplicates(context, duplicates) };
}

interface Configuration {
  readonly value: unknown;
  readonly duplicates: readonly string[];
}

function readConfiguration(context: RequestContext, bytes: Uint8Array): Configuration {
  const cbor = mediaTypeOf(context) === APPLY_CBOR ? context.cbor : undefined;
  try {
    return cbor === undefined ? parseYaml(Buffer.from(bytes).toString()) : { value: cbor.decodeCbor(bytes), duplicates: [] };
  } catch (error) {
    throw badRequest(`error decoding ${cbor === undefined ? 'YAML' : 'CBOR'}: ${(error as Error).message}`, error);
  }
}

function reportDuplicates(context: RequestContext, duplicates: readonly string[]): void {
  const mode = fieldValidationOf(context.query);
  if (duplicates.length === 0 || mode === 'Ignore') return;
  if (mode === 'Warn') for (const duplicate of duplicates) context.warn(duplicate);
  else {
    const lines = duplicates.map((line) => `  ${line}`).join('\n');
    throw badRequest(`error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n${lines}`);
  }
}
