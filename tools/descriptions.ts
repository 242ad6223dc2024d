// SPDX-License-Identifier: Apache-2.0
// Takes the descriptions of API types and fields out of a published package (kubernetes-models: declarations generated from
// upstream's OpenAPI) and writes them to dist/descriptions.json, which OpenAPI documents and table columns read. They are
// upstream's prose, so they are fetched with the packages and never part of the tree.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const PACKAGES = ['kubernetes-models', '@kubernetes-models/apimachinery'];

/** By name of the type, then of the field; '' is the type itself. */
type Descriptions = Record<string, Record<string, string>>;

/** The comment's text: paragraphs and lines as upstream has them. */
function textOf(comment: readonly string[]): string {
  return comment
    .join('\n')
    .trim()
    .replaceAll(/\\([*/])/g, '$1');
}

/** Reads one declaration file, which declares one interface and says its full name in its last line. */
export function readDeclaration(source: string): { readonly name: string; readonly fields: Record<string, string> } | undefined {
  const name = /\bas I(Io[A-Z]\w+)/.exec(source)?.[1];
  if (name === undefined) return undefined;
  const fields: Record<string, string> = {};
  let comment: string[] = [];
  let isInside = false;
  for (const line of source.split('\n')) {
    const oneLine = /^\s*\/\*\* ?(.*?) ?\*\/$/.exec(line);
    const field = /^ {4}"([^"]+)"\??:/.exec(line);
    if (oneLine !== null) comment = [oneLine[1] ?? ''];
    else if (/^\s*\/\*\*$/.test(line)) comment = [];
    else if (/^\s*\*\/$/.test(line)) continue;
    else if (/^\s*\*/.test(line)) comment.push(line.replace(/^\s*\* ?/, ''));
    else if (line.startsWith('export interface')) {
      if (comment.length > 0) fields[''] = textOf(comment);
      comment = [];
      isInside = true;
    } else if (line === '}') {
      if (isInside) break;
    } else if (field !== null && isInside) {
      if (comment.length > 0) fields[field[1] ?? ''] = textOf(comment);
      comment = [];
    }
  }
  return { name, fields };
}

function readPackage(name: string, into: Descriptions): void {
  const folder = join(root, 'node_modules', name);
  for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.d.ts') || file.startsWith('_schemas') || file.includes('node_modules')) continue;
    const found = readDeclaration(readFileSync(join(folder, file), 'utf8'));
    if (found !== undefined) into[found.name] = found.fields;
  }
}

/** Writes dist/descriptions.json. */
export function writeDescriptions(): void {
  const descriptions: Descriptions = {};
  for (const name of PACKAGES) readPackage(name, descriptions);
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(join(root, 'dist/descriptions.json'), JSON.stringify(descriptions));
}

if (import.meta.main) writeDescriptions();
