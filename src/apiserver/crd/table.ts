// SPDX-License-Identifier: Apache-2.0
// Table columns of a custom resource: its name, then its `additionalPrinterColumns`, or its age where there are none.
// @source upstream apiextensions-apiserver pkg/registry/customresource/tableconvertor
import { descriptionOf } from '#api';
import type { CustomResourceColumnDefinition } from '#api/apiextensions/v1';
import { type DeepReadonly, goValue, parseTime } from '#machinery';
import type { TableColumn, TableColumns } from '../registry/strategy.ts';
import { age, ageOf, column, NAME } from '../registry/tables/cells.ts';
import { goJson } from './in-order.ts';
import { type JsonPath, JsonPathError, parseJsonPath } from './json-path.ts';

type Column = DeepReadonly<CustomResourceColumnDefinition>;

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** A column whose path does not parse is left out, with those after it. */
export function customTable(wanted: readonly Column[]): TableColumns {
  if (wanted.length === 0) {
    return described([NAME, column('Age', { type: 'date' })], (object, now) => [object.metadata.name ?? '', ageOf(object, now)]);
  }
  const paths = wanted.map(({ jsonPath }) => pathOf(jsonPath));
  const broken = paths.indexOf(undefined);
  const columns = broken < 0 ? wanted : wanted.slice(0, broken);
  return described([NAME, ...columns.map(headerOf)], (object, now) => [
    object.metadata.name ?? '',
    ...columns.map(({ type }, index) => cellOf(paths[index]?.find(object) ?? [], type, now)),
  ]);
}

const FIELDS: Readonly<Record<string, string>> = { Name: 'name', Age: 'creationTimestamp' };

/** Columns of the server's own say what upstream's say; the texts are looked up when first shown. */
function described(columns: readonly TableColumn[], cells: TableColumns['cells']): TableColumns {
  let shown: readonly TableColumn[] | undefined;
  return {
    cells,
    get columns() {
      shown ??= columns.map((one) =>
        one.description === '' ? { ...one, description: descriptionOf(META, FIELDS[one.name] ?? '') ?? '' } : one,
      );
      return shown;
    },
  };
}

function pathOf(text: string): JsonPath | undefined {
  try {
    return parseJsonPath(text);
  } catch (error) {
    if (error instanceof JsonPathError) return undefined;
    throw error;
  }
}

function headerOf({ name, type, format = '', description = '', priority = 0, jsonPath }: Column): TableColumn {
  const said = description === '' ? `Custom resource definition column (in JSONPath format): ${jsonPath}` : description;
  return { name, type, format, description: said, priority };
}

function cellOf(found: readonly unknown[], type: string, now: number): unknown {
  const [value] = found;
  if (found.length === 0) return null;
  switch (type) {
    case 'string':
      return textOf(value);
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' ? dateOf(value, now) : null;
    default:
      return null;
  }
}

/** As upstream's printer writes it: texts as they are, lists and objects as JSON, null in words. */
function textOf(value: unknown): string {
  if (value === null) return '<no value>';
  return typeof value === 'object' ? goJson(value) : goValue(value);
}

function dateOf(text: string, now: number): string {
  if (text === '' || text === 'null') return '<unknown>'; // As an unset time is written.
  try {
    return age(new Date(parseTime(text).seconds * 1000).toISOString(), now);
  } catch {
    return '<invalid>';
  }
}
