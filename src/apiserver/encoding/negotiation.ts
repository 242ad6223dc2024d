// SPDX-License-Identifier: Apache-2.0
// Which form an answer takes: media type, and whether a Table or only metadata is wanted. From the Accept header.
// @source upstream apiserver pkg/endpoints/handlers/negotiation/negotiate.go
import { notAcceptable } from '#machinery';

export type MediaType = 'json' | 'yaml' | 'protobuf' | 'cbor';

/** CBOR is spoken only by servers that were told to, which have loaded it. */
export interface CborCodec {
  encodeCbor(value: unknown): Uint8Array;
  /** A map whose last member is a list, in chunks. */
  encodeCborList(head: object, member: string, items: Iterable<unknown>, count: number): Generator<Uint8Array>;
  /** @throws {JsonSyntaxError} */
  decodeCbor(bytes: Uint8Array): unknown;
}
export type Transform = 'Table' | 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'APIGroupDiscoveryList';

export interface Output {
  readonly mediaType: MediaType;
  readonly transform: Transform | undefined;
  /** Of the transform's kind, where it is not v1. */
  readonly transformVersion?: 'v1beta1';
  /** `;stream=watch` was asked for. */
  readonly stream: boolean;
  readonly pretty: boolean;
  /** Given where the media type is `cbor`. */
  readonly cbor?: CborCodec;
}

export const JSON_OUTPUT: Output = { mediaType: 'json', transform: undefined, stream: false, pretty: false };
export const PRETTY_JSON: Output = { ...JSON_OUTPUT, pretty: true };

export const CONTENT_TYPES: Readonly<Record<MediaType, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
  cbor: 'application/cbor',
};
const BY_NAME: ReadonlyMap<string, MediaType> = new Map(
  Object.entries({
    'application/json': 'json',
    'application/yaml': 'yaml',
    'application/vnd.kubernetes.protobuf': 'protobuf',
    'application/*': 'json',
    '*/*': 'json',
  } as const),
);

/** Which form a range of the Accept header means, of those that every server speaks. */
export function mediaTypeNamed(name: string): MediaType | undefined {
  return BY_NAME.get(name);
}

export interface MediaRange {
  readonly name: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly quality: number;
}

/** The header's ranges, best first; equal ones in their order. */
export function parseAccept(header: string): readonly MediaRange[] {
  const ranges = header.split(',').flatMap((part) => {
    const [name = '', ...rest] = part.split(';').map((text) => text.trim());
    if (name === '') return [];
    const parameters = Object.fromEntries(rest.map((text) => [text.split('=')[0]?.trim() ?? '', text.slice(text.indexOf('=') + 1).trim()]));
    return [{ name, parameters, quality: Number(parameters['q'] ?? 1) }];
  });
  return ranges.sort((a, b) => b.quality - a.quality);
}

export interface NegotiationRules {
  /** Transforms this endpoint offers. */
  readonly transforms: ReadonlySet<Transform>;
  /** Whether objects of this endpoint have a protobuf form. */
  readonly protobuf: boolean;
}

/** What watches come in. */
export const STREAMED_TYPES: readonly string[] = ['application/json;stream=watch', 'application/vnd.kubernetes.protobuf;stream=watch'];

/** Reads and writes of objects. */
export const OBJECT_RULES: NegotiationRules = { transforms: new Set(['Table', 'PartialObjectMetadata']), protobuf: true };
/** What is read may be asked for in the wrong shape: that is told when it is there. See `checkShape`. */
export const READ_RULES: NegotiationRules = {
  transforms: new Set(['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList']),
  protobuf: true,
};
export const LIST_RULES: NegotiationRules = READ_RULES;
export const WATCH_RULES: NegotiationRules = { transforms: new Set(['Table', 'PartialObjectMetadata']), protobuf: true };

/** @param cbor Of servers that speak it. @throws {ApiError} 406 if nothing that is asked for can be given. */
export function negotiate(header: string, rules: NegotiationRules, pretty: boolean, cbor?: CborCodec): Output {
  if (header === '' || header === '*/*' || header === 'application/json') return pretty ? PRETTY_JSON : JSON_OUTPUT;
  for (const range of parseAccept(header)) {
    const output = outputOf(range, rules, pretty, cbor);
    if (output !== undefined) return output;
  }
  throw notAcceptable(`only the following media types are accepted: ${acceptedTypes(rules, cbor).join(', ')}`);
}

export function acceptedTypes(rules: { protobuf: boolean }, cbor?: CborCodec): readonly string[] {
  const types = rules.protobuf
    ? [CONTENT_TYPES.json, CONTENT_TYPES.yaml, CONTENT_TYPES.protobuf]
    : [CONTENT_TYPES.json, CONTENT_TYPES.yaml];
  return cbor === undefined ? types : [...types, CONTENT_TYPES.cbor];
}

function outputOf({ name, parameters }: MediaRange, rules: NegotiationRules, pretty: boolean, codec?: CborCodec): Output | undefined {
  const mediaType = BY_NAME.get(name) ?? (name === CONTENT_TYPES.cbor && codec !== undefined ? 'cbor' : undefined);
  if (mediaType === undefined || (mediaType === 'protobuf' && !rules.protobuf)) return undefined;
  const { as, g: group, v: version, stream: streamed = '', sv: server = '' } = parameters;
  if ((streamed !== '' && streamed !== 'watch') || (server !== '' && server !== 'v1')) return undefined;
  const stream = streamed === 'watch';
  const cbor = mediaType === 'cbor' && codec !== undefined ? { cbor: codec } : {};
  const isPretty = pretty || parameters['pretty'] === '1';
  if (as === undefined && group === undefined && version === undefined)
    return { mediaType, transform: undefined, stream, pretty: isPretty, ...cbor };
  const known = group === 'meta.k8s.io' && (version === 'v1' || version === 'v1beta1');
  if (!known || !rules.transforms.has(as as Transform)) return undefined;
  if (as === 'Table' && mediaType === 'protobuf') return undefined;
  return {
    mediaType,
    transform: as as Transform,
    ...(version === 'v1beta1' ? { transformVersion: version } : {}),
    stream,
    pretty: isPretty,
    ...cbor,
  };
}

/** The Content-Type of an answer in this form. Transforms do not show, as upstream has it; discovery's alone does. */
export function contentTypeOf({ mediaType, transform }: Output): string {
  return transform === 'APIGroupDiscoveryList'
    ? `${CONTENT_TYPES[mediaType]};g=apidiscovery.k8s.io;v=v2;as=${transform}`
    : CONTENT_TYPES[mediaType];
}
