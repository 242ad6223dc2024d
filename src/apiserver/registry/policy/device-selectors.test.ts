// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deviceclasses, resourceclaims } from '#api';
import type { Resource } from '#machinery';
import { RuleEngine } from '../../crd/rule-engine.ts';
import { deviceSelectorStrategy } from './device-selectors.ts';

const rules = new RuleEngine();
await rules.load();
const classes = deviceSelectorStrategy(deviceclasses as Resource, {}, rules);
const claims = deviceSelectorStrategy(resourceclaims as Resource, {}, rules);
const classOf = (expression: string) =>
  ({ metadata: { name: 'c', resourceVersion: '1' }, spec: { selectors: [{ cel: { expression } }] } }) as never;
const linesOf = (causes: readonly { field: string; message: string }[]) =>
  causes.map(({ field, message }) => `${field}: ${message.split('\n')[0]}`);
const AT = 'spec.selectors[0].cel.expression';

describe('admin access to devices', () => {
  const admin = { name: 'r', exactly: { deviceClassName: 'c', allocationMode: 'All', adminAccess: true } };
  const claim = { metadata: { name: 'c', namespace: 'n' }, spec: { devices: { requests: [admin] } } } as never;
  const scopeWith = (labels: object) => ({ namespace: 'n', reader: { find: () => ({ metadata: { labels } }) } }) as never;

  it('is given where the namespace has the label', () => {
    assert.deepEqual(claims.validate(claim, scopeWith({ 'resource.kubernetes.io/admin-access': 'true' })), []);
  });

  it('is refused elsewhere', () => {
    assert.deepEqual(linesOf(claims.validate(claim, scopeWith({}))), [
      'spec.devices.requests[0].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace',
    ]);
  });
});

describe('an expression that chooses devices', () => {
  for (const expression of [
    `device.driver == 'a.example'`,
    'device.attributes["a.example"].healthy',
    'device.capacity["a.example"].memory.compareTo(quantity("1Gi")) >= 0',
    'device.attributes["a.example"].version.isGreaterThan(semver("1.0.0"))',
    'cel.bind(own, device.attributes["a.example"], own.fast && own.small)',
  ])
    it(`may be ${expression}`, () => assert.deepEqual(classes.validate(classOf(expression), {} as never), []));

  const wrong: Readonly<Record<string, string>> = {
    'device.colour == "red"': `Invalid value: "device.colour == \\"red\\"": compilation failed: ERROR: <input>:1:7: undefined field 'colour'`,
    'cel.bind(1, device, true)': `Invalid value: "cel.bind(1, device, true)": compilation failed: ERROR: <input>:1:10: cel.bind() variable names must be simple identifiers`,
    'cel.bind(own, device, own.colour)': `Invalid value: "cel.bind(own, device, own.colour)": compilation failed: ERROR: <input>:1:26: undefined field 'colour'`,
    '1 + 1': 'Invalid value: "1 + 1": must evaluate to bool or the unknown type, not int',
    'device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, true))))':
      'Forbidden: too complex, exceeds cost limit',
  };
  for (const [expression, complaint] of Object.entries(wrong))
    it(`may not be ${expression}`, () =>
      assert.deepEqual(linesOf(classes.validate(classOf(expression), {} as never)), [`${AT}: ${complaint}`]));

  it('is let be where an update leaves it', () => {
    const old = classOf('device.colour == "red"');

    assert.deepEqual(classes.validateUpdate(old, old, {} as never), []);
  });

  it('is looked at in every alternative of a claim', () => {
    const one = { name: 'a', deviceClassName: 'c', allocationMode: 'All', selectors: [{ cel: { expression: '1' } }] };
    const claim = { metadata: { name: 'c', namespace: 'n' }, spec: { devices: { requests: [{ name: 'r', firstAvailable: [one] }] } } };

    assert.deepEqual(linesOf(claims.validate(claim as never, {} as never)), [
      'spec.devices.requests[0].firstAvailable[0].selectors[0].cel.expression: Invalid value: "1": must evaluate to bool or the unknown type, not int',
    ]);
  });

  it('is told of where it stands', () => {
    const exactly = { deviceClassName: 'c', allocationMode: 'Odd', selectors: [{ cel: { expression: '1' } }] };
    const claim = { metadata: { name: 'c', namespace: 'n' }, spec: { devices: { requests: [{ name: 'r', exactly }] } } };

    assert.deepEqual(
      claims.validate(claim as never, {} as never).map(({ field }) => field),
      ['selectors[0].cel.expression', 'allocationMode'].map((name) => `spec.devices.requests[0].exactly.${name}`),
    );
  });

  it('is looked at again with all others where one of them changes', () => {
    const [old, next] = ['true', 'false'].map((other) => ({
      metadata: { name: 'c', resourceVersion: '1' },
      spec: { selectors: [{ cel: { expression: 'device.colour' } }, { cel: { expression: other } }] },
    }));

    assert.deepEqual(classes.validateUpdate(old as never, old as never, {} as never), []);
    assert.equal(classes.validateUpdate(next as never, old as never, {} as never).length, 1);
  });
});

describe('the status of a claim', () => {
  const [a, b] = ['a', 'b'].map((device) => ({ request: 'r', driver: 'ex.io', pool: 'p', device }));
  const spec = { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c', allocationMode: 'All' } }] } };
  const claimOf = (status: object, labels = {}) =>
    structuredClone({ metadata: { name: 'c', namespace: 'n', labels }, spec, status }) as never;
  const { status } = claims.subresources;

  it('keeps labels as they are', () => {
    const next = claimOf({}, { a: 'b' });
    status?.prepareForUpdate(next, claimOf({}), {} as never);
    assert.deepEqual((next as { metadata: { labels: object } }).metadata.labels, {});
  });

  it('says nothing of devices that were given back', () => {
    const before = claimOf({ allocation: { devices: { results: [a, b] } }, devices: [a, b] });
    const next = claimOf({ allocation: { devices: { results: [b] } }, devices: [a, b] });
    status?.prepareForUpdate(next, before, {} as never);
    assert.deepEqual((next as { status: { devices: object[] } }).status.devices, [b]);
  });

  it('gives admin access where the namespace has the label, or where it was given before', () => {
    const admin = claimOf({ allocation: { devices: { results: [{ ...a, adminAccess: true }] } } });
    const refusal =
      'status.allocation.devices.results[0].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace';
    const scope = { namespace: 'n', reader: { find: () => ({ metadata: {} }) } } as never;
    const said = (previous: never) =>
      linesOf(status?.validateUpdate(admin, previous, scope) ?? []).filter((line) => line.includes('adminAccess'));

    assert.deepEqual(said(claimOf({})), [refusal]);
    assert.deepEqual(said(admin), []);
  });
});
