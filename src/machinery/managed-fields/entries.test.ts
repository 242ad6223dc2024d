// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ManagedFieldsEntry } from '../generated/meta-v1.ts';
import { ApiError } from '../status.ts';
import { root, text } from './_flows.ts';
import { conflictError } from './conflicts.ts';
import { capUpdaters } from './entries.ts';
import {
  applyPatch,
  decodeManagers,
  FieldSetError,
  formatFieldsV1,
  parseFieldsV1,
  pathsOf,
  setOfPaths,
  updateManagedFields,
} from './mod.ts';

const TIME = '2026-01-01T00:00:00Z';
const entry = (manager: string, fields: Record<string, unknown>, more: Partial<ManagedFieldsEntry> = {}): ManagedFieldsEntry => ({
  manager,
  operation: 'Update',
  apiVersion: 'v1',
  time: TIME,
  fieldsType: 'FieldsV1',
  fieldsV1: fields,
  ...more,
});
const field = (name: string) => ({ [`f:${name}`]: {} });

test('capUpdaters() folds the oldest of a version, and leaves what is alone in its version', () => {
  const updaters = Array.from({ length: 11 }, (_, index) =>
    entry(`m${index}`, field(`k${index}`), { time: `2026-01-01T00:00:${10 + index}Z` }),
  );
  const managers = decodeManagers([entry('other', field('x'), { apiVersion: 'v2', time: '2025-01-01T00:00:00Z' }), ...updaters]);
  capUpdaters(managers);
  const found = [...managers.values()].map(({ manager, set }) => `${manager} ${pathsOf(set).join(' ')}`).sort();

  assert.equal(found.length, 10);
  assert.deepEqual([found[0], found.at(-1)], ['ancient-changes .k0 .k1 .k2', 'other .x']);
});

test('decodeManagers() says which entry cannot be read', () => {
  const rows: readonly (readonly [Partial<ManagedFieldsEntry>, string])[] = [
    [{ operation: 'Patch' as never }, 'operation must be `Apply` or `Update`'],
    [{ apiVersion: '' }, 'apiVersion must not be empty'],
    [{ fieldsType: '' }, 'missing fieldsType in managed fields entry 1'],
    [{ fieldsType: 'FieldsV2' }, 'invalid fieldsType "FieldsV2" in managed fields entry 1'],
  ];
  for (const [more, message] of rows)
    assert.throws(() => decodeManagers([entry('a', {}), entry('b', {}, more)]), new FieldSetError(message));
});

test('elements are written one way, however they were sent', () => {
  const rows: readonly (readonly [sent: Record<string, unknown>, kept: Record<string, unknown>])[] = [
    [{ 'f:l': { 'k:{"port":80, "name":"x"}': {} } }, { 'f:l': { 'k:{"name":"x","port":80}': {} } }],
    [{ 'f:l': { 'v:"x" {"more":1}': {} } }, { 'f:l': { 'v:"x"': {} } }],
    [{ 'f:l': { 'k:{"uid":"a"} []': {} } }, { 'f:l': { 'k:{"uid":"a"}': {} } }],
    [{ 'f:l': { 'v:"<&>"': {} } }, { 'f:l': { 'v:"\\u003c\\u0026\\u003e"': {} } }],
    [{ 'f:a': { 'q:later': {} } }, { 'f:a': {} }],
  ];
  for (const [sent, kept] of rows) assert.deepEqual(formatFieldsV1(parseFieldsV1(sent)), kept);
});

test('elements stand in order: numbers, texts, truth values', () => {
  const set = setOfPaths([
    ['f:l', 'v:"a"'],
    ['f:l', 'v:true'],
    ['f:l', 'v:10'],
    ['f:l', 'v:9'],
    ['f:l', 'v:null'],
  ]);

  assert.deepEqual(Object.keys(formatFieldsV1(set)['f:l'] as object), ['v:9', 'v:10', 'v:"a"', 'v:true', 'v:null']);
});

test('conflicts are listed by manager as its entry is written, fields of one level before deeper ones', () => {
  const managers = decodeManagers([
    entry('a', { 'f:spec': { 'f:b': { 'f:c': {} }, 'f:z': {} } }),
    entry('a', field('x'), { subresource: 'status' }),
    entry('a', field('y'), { operation: 'Apply' }),
  ]);
  const { message } = conflictError([...managers.values()].map((one) => ({ entry: one, fields: one.set })));

  assert.deepEqual(message.split('\n'), [
    'Apply failed with 4 conflicts: conflicts with "a":',
    '- .y',
    'conflicts with "a" with subresource "status" using v1:',
    '- .x',
    'conflicts with "a" using v1:',
    '- .spec.z',
    '- .spec.b.c',
  ]);
});

const schema = root({ data: text, more: text });
const parts = { schema, manager: 'm', apiVersion: 'v1', time: TIME };
const managersOf = (entries: readonly ManagedFieldsEntry[] | undefined) => entries?.map(({ manager }) => manager);

test('entries that clients send are kept, dropped or left out of account', () => {
  const bad = [entry('x', {}, { fieldsType: '' })];
  const live = { data: 'a', metadata: { managedFields: [entry('before', field('data'))] } };
  const untracked = { data: 'a', metadata: {} };
  const next = (managedFields: readonly object[], data = 'a') => ({ data, metadata: { managedFields } });
  const rows: readonly (readonly [string, Parameters<typeof updateManagedFields>[0], readonly string[] | undefined])[] = [
    ['none on create', { ...parts, live: undefined, next: next([]) }, ['m']],
    ['an empty one on create', { ...parts, live: undefined, next: next([{}]) }, ['m']],
    ['bad ones on create', { ...parts, live: undefined, next: next(bad) }, ['m']],
    ['none on update', { ...parts, live, next: next([]) }, undefined],
    ['an empty one on update', { ...parts, live, next: next([{}], 'b') }, undefined],
    ['bad ones on update', { ...parts, live, next: next(bad) }, ['before']],
    ['bad ones where nothing is tracked', { ...parts, live: untracked, next: next(bad, 'b') }, undefined],
    ['other ones on update', { ...parts, live, next: next([entry('sent', field('data'))]) }, ['sent']],
    ['other ones through a subresource', { ...parts, subresource: 'status', live, next: next([entry('sent', field('data'))]) }, ['before']],
    ['a version there is none of', { ...parts, live, next: next([entry('sent', field('data'), { apiVersion: 'v9' })], 'b') }, ['m']],
  ];
  for (const [name, write, wanted] of rows) assert.deepEqual(managersOf(updateManagedFields(write)), wanted, name);
});

test('what comes before the first apply is booked to the subresource that is applied to', () => {
  const applied = applyPatch({ ...parts, live: { data: 'a', metadata: {} }, patch: { more: 'b' }, subresource: 'status', force: false });
  const { managedFields } = applied['metadata'] as { managedFields: ManagedFieldsEntry[] };

  assert.deepEqual(
    managedFields.map(({ manager, subresource }) => [manager, subresource]),
    [
      ['m', 'status'],
      ['before-first-apply', 'status'],
    ],
  );
});

test('kubectl takes what still is as it last applied it on the client side', () => {
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
  const live = (config: string) => ({
    apiVersion: 'v1',
    kind: 'K',
    data: 'a',
    more: 'changed',
    metadata: { annotations: { [annotation]: config }, managedFields: [entry('other', { ...field('data'), ...field('more') })] },
  });
  const config = JSON.stringify({ apiVersion: 'v1', kind: 'K', data: 'a', more: 'b' });
  const apply = (manager: string, text: string, patch: object) =>
    applyPatch({ ...parts, manager, live: live(text), patch: { apiVersion: 'v1', kind: 'K', ...patch }, force: false });
  const refusal = (manager: string, text: string, patch: object) => {
    try {
      return apply(manager, text, patch)['data'];
    } catch (error) {
      return error instanceof ApiError ? error.status.details?.causes?.map(({ field: path }) => path) : error;
    }
  };

  assert.equal(refusal('kubectl', config, { data: 'new' }), 'new');
  assert.deepEqual(refusal('kubectl', config, { data: 'new', more: 'new' }), ['.more']);
  assert.deepEqual(refusal('other-kubectl', config, { data: 'new' }), ['.data']);
  assert.deepEqual(refusal('kubectl', config.replace('v1', 'v0'), { data: 'new' }), ['.data']);
  assert.deepEqual(refusal('kubectl', 'no object', { data: 'new' }), ['.data']);
});
