// SPDX-License-Identifier: Apache-2.0
// machinery: the vocabulary every component shares. Names and versions of resources, labels and selectors, quantities, time,
// Status errors, codecs, patches and schema walking. Knows no resource by name, does no I/O, imports nothing of ours.
export * from './fields.ts';
export type * from './generated/meta-v1.ts';
export * from './labels.ts';
export * from './quantity.ts';
export * from './resource.ts';
export * from './schema.ts';
export * from './status.ts';
