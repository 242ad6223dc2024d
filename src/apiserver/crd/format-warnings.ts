// SPDX-License-Identifier: Apache-2.0
// What is said of a definition whose schemas name formats of texts that nobody checks.
// @source upstream apiextensions-apiserver pkg/registry/customresourcedefinition/strategy.go WarningsOnCreate
import { formatCheck } from './formats.ts';
import { anySchema, type SchemaProps } from './schema-props.ts';
import type { Definition } from './served-definition.ts';

/** One for each place with such a format; on update, formats that were there before are let be. */
export function formatWarnings(definition: Definition, previous: Definition | undefined): readonly string[] {
  const before = new Set(previous === undefined ? [] : unknownFormats(previous));
  return unknownFormats(definition)
    .filter((format) => !before.has(format))
    .map((format) => `unrecognized format ${JSON.stringify(format)}`);
}

function unknownFormats({ spec }: Definition): readonly string[] {
  const found: string[] = [];
  for (const { schema } of spec.versions ?? []) {
    anySchema(schema?.openAPIV3Schema as SchemaProps | undefined, ({ type, format = '' }) => {
      if (type === 'string' && format !== '' && formatCheck(format) === undefined) found.push(format);
      return false;
    });
  }
  return found;
}
