// SPDX-License-Identifier: Apache-2.0
// machinery: the vocabulary every component shares. Names and versions of resources, labels and selectors, quantities, time,
// Status errors, codecs, patches and schema walking. Knows no resource by name, does no I/O, imports nothing of ours.
export * from './deep-copy.ts';
export * from './deep-equal.ts';
export * from './deep-freeze.ts';
export * from './field-error.ts';
export * from './fields.ts';
export type * from './generated/meta-v1.ts';
export { showGiven } from './given-value.ts';
export * from './go-print.ts';
export * from './ip.ts';
export * from './json-decode.ts';
export * from './json-patch.ts';
export { strictErrors } from './json-strict.ts';
export * from './json-syntax.ts';
export { describeJson, unmarshalError } from './json-text.ts';
export * from './labels.ts';
export * from './managed-fields/mod.ts';
export * from './merge-patch.ts';
export * from './names.ts';
export * from './normalize.ts';
export * from './protobuf-codec.ts';
export { ProtobufError } from './protobuf-wire.ts';
export * from './quantity.ts';
export * from './resource.ts';
export * from './schema.ts';
export * from './status.ts';
export { emptyToNull } from './stored-form.ts';
export * from './strategic-patch.ts';
export * from './time.ts';
export * from './yaml-codec.ts';
