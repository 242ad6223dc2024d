// SPDX-License-Identifier: Apache-2.0
// What is wrong with a configuration file, as one text: upstream's aggregate of field errors.
import type { FieldCause } from '#machinery';

/** `path: message`, in brackets where there are several; each once. */
export function describeProblems(causes: readonly FieldCause[]): string {
  const texts = [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))];
  return texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
}
