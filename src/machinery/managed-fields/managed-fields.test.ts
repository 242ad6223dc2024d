// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { recorded, testSchema, testSchemas } from '../_test-schemas.ts';
import type { ManagedFieldsEntry } from '../generated/meta-v1.ts';
import { ApiError } from '../status.ts';
import {
  applyPatch,
  difference,
  EMPTY_SET,
  equalSets,
  type FieldSet,
  fieldSetOf,
  formatFieldsV1,
  intersection,
  parseFieldsV1,
  pathsOf,
  recursiveDifference,
  setOfPaths,
  union,
  updateManagedFields,
} from './mod.ts';

const configMap = testSchema('v1', 'ConfigMap');
const pod = testSchema('v1', 'Pod');
const TIME = '2026-01-01T00:00:00Z';
const STATUS = setOfPaths([['f:status']]);

const object = (data: Record<string, string>) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'n' }, data });
const apply = (live: Readonly<Record<string, unknown>> | undefined, manager: string, data: Record<string, string>, force = false) =>
  applyPatch({ live, patch: object(data), schema: configMap, manager, apiVersion: 'v1', time: TIME, force });
const ownersOf = (value: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    ((value['metadata'] as { managedFields?: ManagedFieldsEntry[] }).managedFields ?? []).map((entry) => [
      `${entry.manager} ${entry.operation}`,
      entry.fieldsV1,
    ]),
  );

test('fieldsV1 parses and prints the same, in order', () => {
  const text =
    '{"f:spec":{".":{},"f:ports":{".":{},"k:{\\"port\\":80}":{".":{},"f:port":{}},"k:{\\"port\\":443}":{".":{},"f:port":{}}},"f:z":{}},"v:\\"x\\"":{}}';

  assert.equal(JSON.stringify(formatFieldsV1(parseFieldsV1(JSON.parse(text)))), text);
  assert.deepEqual(
    pathsOf(parseFieldsV1(JSON.parse('{"f:a":{"k:{\\"name\\":\\"x\\",\\"port\\":1}":{"f:b":{}},"v:\\"s\\"":{},"i:0":{}}}'))),
    ['.a[="s"]', '.a[0]', '.a[name="x",port=1].b'],
  );
});

test('set operations obey the laws of sets', () => {
  const element = fc.constantFrom('f:a', 'f:b', 'v:"x"', 'k:{"n":1}');
  const sets = fc.array(fc.array(element, { minLength: 1, maxLength: 3 }), { maxLength: 6 }).map((paths): FieldSet => setOfPaths(paths));
  fc.assert(
    fc.property(sets, sets, (a, b) => {
      assert.ok(equalSets(union(a, b), union(b, a)));
      assert.ok(equalSets(union(difference(a, b), intersection(a, b)), a));
      assert.ok(equalSets(intersection(difference(a, b), b), EMPTY_SET));
      assert.ok(equalSets(recursiveDifference(a, a), EMPTY_SET));
      assert.ok(equalSets(parseFieldsV1(formatFieldsV1(a)), a));
    }),
    { numRuns: 300 },
  );
});

test('fieldSetOf() names list items by their keys, and atomic values as a whole', () => {
  const value = {
    spec: { nodeSelector: { a: 'b' }, containers: [{ name: 'c', ports: [{ containerPort: 80 }], args: ['x'] }], securityContext: {} },
  };

  assert.deepEqual(formatFieldsV1(fieldSetOf(value, pod)), {
    'f:spec': {
      'f:containers': {
        'k:{"name":"c"}': {
          '.': {},
          'f:args': {},
          'f:name': {},
          'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
        },
      },
      'f:nodeSelector': {},
      'f:securityContext': {},
    },
  });
});

test('apply: what a manager no longer names goes, unless another owns it', () => {
  const first = apply(undefined, 'one', { a: '1', b: '2' });
  const second = apply(first, 'two', { a: '1', z: '9' });
  const third = apply(second, 'one', {});

  assert.deepEqual(third['data'], { a: '1', z: '9' });
  assert.deepEqual(ownersOf(third), { 'one Apply': { 'f:data': {} }, 'two Apply': { 'f:data': { 'f:a': {}, 'f:z': {} } } });
});

test('apply: fields of others are in conflict, unless forced', () => {
  const live = apply(undefined, 'two', { a: '1', z: '9' });

  assert.throws(
    () => apply(live, 'three', { a: 'x', z: 'y' }),
    (error) => {
      assert.ok(error instanceof ApiError);
      assert.equal(error.status.message, 'Apply failed with 2 conflicts: conflicts with "two":\n- .data.a\n- .data.z');
      const message = 'conflict with "two"';
      assert.deepEqual(error.status.details?.causes, [
        { reason: 'FieldManagerConflict', message, field: '.data.a' },
        { reason: 'FieldManagerConflict', message, field: '.data.z' },
      ]);
      return error.code === 409;
    },
  );
  assert.deepEqual(ownersOf(apply(live, 'three', { a: 'x', z: 'y' }, true)), { 'three Apply': { 'f:data': { 'f:a': {}, 'f:z': {} } } });
});

test('apply: nothing new is the same object', () => {
  const live = apply(undefined, 'one', { a: '1' });

  assert.equal(apply(live, 'one', { a: '1' }), live);
});

test('apply: what does not fit the schema is refused as upstream words it', () => {
  const base = { schema: configMap, live: undefined, manager: 'm', apiVersion: 'v1', time: TIME, force: false };
  const patch = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'z' } };

  assert.throws(
    () => applyPatch({ ...base, patch: { ...patch, foo: 1 } }),
    /^ApiError: failed to create typed patch object \(\/z; \/v1, Kind=ConfigMap\): \.foo: field not declared in schema$/,
  );
  assert.throws(
    () => applyPatch({ ...base, patch: { ...patch, data: { a: 5 } } }),
    /\.data\.a: expected string, got &value\.valueUnstructured\{Value:5\}$/,
  );
});

test('items of a list that have one key are owned as one, and replaced as one', () => {
  const podOf = (env: object[], spec: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [{ name: 'c', ...spec, env }] },
  });
  const twice = podOf([
    { name: 'a', value: '1' },
    { name: 'a', value: '2' },
    { name: 'b', value: '3' },
  ]);
  const common = { schema: pod, apiVersion: 'v1', time: TIME };
  const managedFields = updateManagedFields({ ...common, live: undefined, next: twice, manager: 'up' });

  assert.deepEqual(
    pathsOf(parseFieldsV1(managedFields?.[0]?.fieldsV1 as never)).filter((path) => path.includes('name="a"')),
    ['.spec.containers[name="c"].env[name="a"]'],
  );
  const live = { ...twice, metadata: { name: 'p', managedFields } };
  const applied = applyPatch({ ...common, live, patch: podOf([{ name: 'a', value: '9' }]), manager: 'app', force: true });
  assert.deepEqual((applied['spec'] as { containers: { env: object[] }[] }).containers[0]?.env, [
    { name: 'a', value: '9' },
    { name: 'b', value: '3' },
  ]);
});

test('update: a writer owns what it changed, others lose it, and more than ten updaters are folded', () => {
  const write = (live: Readonly<Record<string, unknown>> | undefined, manager: string, data: Record<string, string>, time: string) => {
    const next = object(data) as Record<string, unknown>;
    const managedFields = updateManagedFields({ live, next, schema: configMap, manager, apiVersion: 'v1', time });
    return { ...next, metadata: { name: 'c', namespace: 'n', managedFields } } as Record<string, unknown>;
  };
  let live = write(undefined, 'm0', { k0: 'x' }, TIME);
  for (let index = 1; index < 14; index++) {
    const data = { ...(live['data'] as Record<string, string>), [`k${index}`]: 'x' };
    live = write(live, `m${index}`, data, `2026-01-01T00:00:${String(index).padStart(2, '0')}Z`);
  }

  const owners = ownersOf(live);

  assert.equal(Object.keys(owners).length, 10);
  assert.deepEqual(owners['ancient-changes Update'], { 'f:data': { '.': {}, 'f:k0': {}, 'f:k1': {}, 'f:k2': {}, 'f:k3': {}, 'f:k4': {} } });
});

test('applyPatch() keeps the name when the last owned field of the metadata goes', () => {
  const patch = (metadata: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'n', ...metadata } });
  const parts = { schema: configMap, manager: 'm', apiVersion: 'v1', time: TIME, force: false };

  const first = applyPatch({ ...parts, live: undefined, patch: patch({ annotations: { k: 'v' } }) });
  const second = applyPatch({ ...parts, live: first, patch: patch({}) });

  assert.deepEqual(second['metadata'], { name: 'c', namespace: 'n' });
});

const find = testSchemas();
const withoutTimes = (entries: unknown) => (entries as ManagedFieldsEntry[] | undefined)?.map(({ time: _, ...entry }) => entry);

for (const name of [
  'defaulting/deployment',
  'defaulting/configmap',
  'defaulting/statefulset',
  'defaulting/replicaset',
  'defaulting/ingress',
  'defaulting/role',
  'defaulting/poddisruptionbudget',
  'defaulting/storageclass',
  'defaulting/event-core',
  'defaulting/hpa-v2',
  'defaulting/validatingadmissionpolicy',
  'defaulting/customresourcedefinition',
]) {
  const steps = recorded(name);
  test(`created objects are owned as recorded: ${name}${steps === undefined ? ' (skipped: no recordings)' : ''}`, {
    skip: steps === undefined,
  }, () => {
    for (const { step, answer } of steps ?? []) {
      const body = answer?.body;
      const entries = body?.metadata?.['managedFields'] as ManagedFieldsEntry[] | undefined;
      const schema = find(String(body?.apiVersion), String(body?.kind));
      if (step.request?.method !== 'POST' || answer?.status !== 201 || body === undefined || entries === undefined || schema === undefined)
        continue;
      const { managedFields: _, ...metadata } = body.metadata ?? {};
      const { manager = '', apiVersion = '' } = entries[0] ?? {};
      const parts = { live: undefined, schema, manager, apiVersion, time: TIME, resetFields: STATUS };

      const found = updateManagedFields({ ...parts, next: { ...body, metadata } });

      assert.deepEqual(withoutTimes(found), withoutTimes(entries), step.id);
    }
  });
}

for (const name of ['apply/configmap-basics', 'apply/update-then-apply']) {
  const steps = recorded(name);
  test(`applies answer as recorded: ${name}${steps === undefined ? ' (skipped: no recordings)' : ''}`, {
    skip: steps === undefined,
  }, () => {
    let live: Record<string, unknown> | undefined;
    for (const { step, answer } of steps ?? []) {
      const { method, headers, query, body: patch } = step.request ?? {};
      if (
        method === 'PATCH' &&
        headers?.['Content-Type'] === 'application/apply-patch+yaml' &&
        patch !== undefined &&
        answer !== undefined
      ) {
        const manager = query?.['fieldManager'] ?? '';
        const parts = { live, patch, schema: configMap, manager, apiVersion: 'v1', time: TIME, force: query?.['force'] === 'true' };
        if (answer.status < 300) {
          const found = applyPatch(parts);
          assert.deepEqual(found['data'], answer.body?.['data'], step.id);
          assert.deepEqual(
            withoutTimes((found['metadata'] as { managedFields?: unknown }).managedFields),
            withoutTimes(answer.body?.metadata?.['managedFields']),
            step.id,
          );
        } else
          assert.throws(
            () => applyPatch(parts),
            (error) => (error as Error).message.replaceAll(` at ${TIME}`, '') === answer.body?.message,
          );
      }
      if (answer !== undefined && answer.status < 300) live = answer.body;
    }
  });
}
