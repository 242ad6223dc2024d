// SPDX-License-Identifier: Apache-2.0
// Schemas for this folder's tests, built from the generated facts: machinery itself knows no kind by name.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type SchemaFacts, SchemaRegistry, type StructSchema } from './schema.ts';

const source = join(import.meta.dirname, '../api/generated/schema.json');

/** Finds schemas by apiVersion and kind, or undefined. */
export function testSchemas(): (apiVersion: string, kind: string) => StructSchema | undefined {
  const facts = JSON.parse(readFileSync(source, 'utf8')) as SchemaFacts;
  const registry = new SchemaRegistry(facts);
  const names = new Map<string, string>();
  for (const [name, { gvk = [] }] of Object.entries(facts)) {
    for (const { group, version, kind } of gvk) names.set(`${group === '' ? version : `${group}/${version}`} ${kind}`, name);
  }
  return (apiVersion, kind) => {
    const name = names.get(`${apiVersion} ${kind}`);
    return name === undefined ? undefined : (registry.get(name) as StructSchema);
  };
}

/** One schema. */
export function testSchema(apiVersion: string, kind: string): StructSchema {
  const schema = testSchemas()(apiVersion, kind);
  if (schema === undefined) throw new Error(`no schema of ${apiVersion} ${kind}`);
  return schema;
}

const root = join(import.meta.dirname, '../..');

/** A folder of recorded upstream behaviour, where it is at hand. */
export function referenceFolder(...candidates: readonly string[]): string | undefined {
  return candidates.map((path) => join(root, path)).find((path) => existsSync(path));
}

export interface RecordedStep {
  readonly id: string;
  readonly status: number;
  readonly body?: Record<string, unknown> & { kind?: string; apiVersion?: string; message?: string; metadata?: Record<string, unknown> };
}

export interface ScenarioStep {
  readonly id: string;
  readonly request?: {
    readonly method?: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly query?: Readonly<Record<string, string>>;
    readonly body?: Record<string, unknown>;
    readonly bodyText?: string;
  };
}

/** A scenario's steps with their answers; undefined where the recordings are not at hand. */
export function recorded(name: string): readonly { readonly step: ScenarioStep; readonly answer: RecordedStep | undefined }[] | undefined {
  const folder = referenceFolder('test/golden', '../shared/golden');
  if (folder === undefined || !existsSync(join(folder, 'recordings', `${name}.json`))) return undefined;
  const read = (part: string) => readFileSync(join(folder, part, `${name}.json`), 'utf8').replaceAll(/\$\{time\}/g, '2026-01-01T00:00:00Z');
  const { steps } = JSON.parse(read('scenarios')) as { steps: ScenarioStep[] };
  const answers = new Map((JSON.parse(read('recordings')) as { steps: RecordedStep[] }).steps.map((step) => [step.id, step]));
  return steps.map((step) => ({ step, answer: answers.get(step.id) }));
}
