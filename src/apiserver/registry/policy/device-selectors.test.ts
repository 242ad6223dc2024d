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
  ])
    it(`may be ${expression}`, () => assert.deepEqual(classes.validate(classOf(expression), {} as never), []));

  const wrong: Readonly<Record<string, string>> = {
    'device.colour == "red"': `Invalid value: "device.colour == \\"red\\"": compilation failed: ERROR: <input>:1:7: undefined field 'colour'`,
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
});
