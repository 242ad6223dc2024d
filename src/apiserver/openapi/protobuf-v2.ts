// SPDX-License-Identifier: Apache-2.0
// The version 2 document as protobuf, which is the only form kubectl takes it in: it validates the items of a `kind: List` by it.
// Carries what validation reads (types, properties, references, kinds), not descriptions or paths.
// @source gnostic openapiv2/OpenAPIv2.proto for the field numbers
import type { Json } from './schemas.ts';

export const PROTOBUF_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

const DOCUMENT = { swagger: 1, info: 2, paths: 8, definitions: 9 } as const;
const SCHEMA = {
  ref: 1,
  format: 2,
  required: 19,
  additionalProperties: 21,
  type: 22,
  items: 23,
  properties: 25,
  vendorExtension: 31,
} as const;

/** One field; everything that is needed here is text or a message. */
function field(number: number, value: string | Buffer): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

const message = (...fields: readonly (Buffer | undefined)[]) => Buffer.concat(fields.filter((part) => part !== undefined));
const named = (name: string, value: Buffer) => message(field(1, name), field(2, value));

/** @param document As `documentV2` makes it. */
export function encodeDocumentV2(document: Json): Buffer {
  const info = document['info'] as { readonly title: string; readonly version: string };
  const definitions = Object.entries(document['definitions'] as Record<string, Json>);
  return message(
    field(DOCUMENT.swagger, '2.0'),
    field(DOCUMENT.info, message(field(1, info.title), field(2, info.version))),
    field(DOCUMENT.paths, message()),
    field(DOCUMENT.definitions, message(...definitions.map(([name, schema]) => field(1, named(name, encodeSchema(schema)))))),
  );
}

function encodeSchema(schema: Json): Buffer {
  const reference = referenceOf(schema);
  if (reference !== undefined) return field(SCHEMA.ref, reference);
  const { format, required, additionalProperties, type, items, properties } = schema as {
    readonly format?: string;
    readonly required?: readonly string[];
    readonly additionalProperties?: Json;
    readonly type?: string;
    readonly items?: Json;
    readonly properties?: Readonly<Record<string, Json>>;
  };
  return message(
    format === undefined ? undefined : field(SCHEMA.format, format),
    ...(required ?? []).map((name) => field(SCHEMA.required, name)),
    additionalProperties && field(SCHEMA.additionalProperties, field(1, encodeSchema(additionalProperties))),
    type === undefined ? undefined : field(SCHEMA.type, field(1, type)),
    items && field(SCHEMA.items, field(1, encodeSchema(items))),
    properties &&
      field(SCHEMA.properties, message(...Object.entries(properties).map(([name, value]) => field(1, named(name, encodeSchema(value)))))),
    ...extensionsOf(schema),
  );
}

/** Also where it is wrapped to carry a default beside it. */
function referenceOf(schema: Json): string | undefined {
  const [only] = (schema['allOf'] as readonly Json[] | undefined) ?? [];
  return (schema['$ref'] ?? only?.['$ref']) as string | undefined;
}

/** Values are YAML, of which JSON is a part. */
function extensionsOf(schema: Json): Buffer[] {
  return Object.entries(schema)
    .filter(([name]) => name.startsWith('x-'))
    .map(([name, value]) => field(SCHEMA.vendorExtension, named(name, field(2, JSON.stringify(value)))));
}
