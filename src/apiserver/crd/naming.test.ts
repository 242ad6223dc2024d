// SPDX-License-Identifier: Apache-2.0
// Names and conditions of definitions, as a pure plan.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { approvalOf, establishment, isProtectedGroup, planNames, withCondition } from './naming.ts';
import type { Definition } from './served-definition.ts';

const names = (plural: string, kind: string, shortNames?: readonly string[]) => ({
  plural,
  singular: kind.toLowerCase(),
  kind,
  listKind: `${kind}List`,
  ...(shortNames === undefined ? {} : { shortNames }),
});

function definition(spec: object, status: object = {}): Definition {
  return { metadata: { name: 'x' }, spec: { group: 'example.com', versions: [], ...spec }, status } as unknown as Definition;
}

const taken = definition({}, { acceptedNames: names('kites', 'Kite', ['kt']) });

test('planNames() accepts names that nobody has', () => {
  const { acceptedNames, conditions } = planNames(definition({ names: names('balls', 'Ball', ['bl']) }), [taken]);

  assert.deepEqual(acceptedNames, names('balls', 'Ball', ['bl']));
  assert.deepEqual(
    conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`),
    ['NamesAccepted True NoConflicts', 'Established False Installing'],
  );
});

test('establishment() is due once names are accepted, and only until it is done', () => {
  const accepted = { type: 'NamesAccepted', status: 'True' };
  const rows: readonly (readonly [conditions: readonly object[], reason: string | undefined])[] = [
    [[], undefined],
    [[{ type: 'NamesAccepted', status: 'False' }], undefined],
    [[accepted, { type: 'Established', status: 'False', reason: 'Installing' }], 'InitialNamesAccepted'],
    [[accepted, { type: 'Established', status: 'True' }], undefined],
  ];

  for (const [conditions, reason] of rows) assert.equal(establishment(definition({}, { conditions }))?.reason, reason);
});

test('planNames() keeps what is free and tells of the last conflict', () => {
  const { acceptedNames, conditions } = planNames(definition({ names: names('balls', 'Kite', ['kt', 'bl']) }), [taken]);

  assert.deepEqual(acceptedNames, { plural: 'balls', kind: '' });
  assert.deepEqual(
    conditions.map(({ status, reason, message }) => `${status} ${reason} ${message}`),
    ['False ListKindConflict "KiteList" is already in use', 'False NotAccepted not all names are accepted'],
  );
});

test('planNames() has one name for one thing, in one definition, too', () => {
  const kites = names('kites', 'Kite');
  const again = definition({ names: { ...kites, shortNames: ['kites'] } }, { acceptedNames: kites });

  const { conditions } = planNames(again, []);

  assert.equal(conditions[0]?.message, '"kites" is already in use');
});

test('planNames() leaves a definition Established once it was, whatever its names are now', () => {
  const established = { type: 'Established', status: 'True', reason: 'InitialNamesAccepted', message: 'm' };
  const { conditions } = planNames(definition({ names: names('balls', 'Kite') }, { conditions: [established] }), [taken]);

  assert.equal(conditions[0]?.status, 'False');
  assert.equal(conditions[1]?.status, 'True');
});

test('withCondition() keeps the time of a condition whose status stays', () => {
  const before = [{ type: 'A', status: 'True', lastTransitionTime: 'then', reason: 'R', message: 'm' }] as never;

  const [same] = withCondition(before, { type: 'A', status: 'True', reason: 'Other', message: 'm' }, 'now');
  const [other] = withCondition(before, { type: 'A', status: 'False', reason: 'R', message: 'm' }, 'now');

  assert.equal(same?.lastTransitionTime, 'then');
  assert.equal(same?.reason, 'Other');
  assert.equal(other?.lastTransitionTime, 'now');
});

test('approvalOf() and isProtectedGroup() know the groups of the community', () => {
  assert.deepEqual(['k8s.io', 'a.k8s.io', 'kubernetes.io', 'notk8s.io', 'k8s.io.example.com'].map(isProtectedGroup), [
    true,
    true,
    true,
    false,
    false,
  ]);
  assert.deepEqual(
    ['', 'unapproved, for now', 'https://github.com/x/1', 'odd'].map((text) => approvalOf({ 'api-approved.kubernetes.io': text }).state),
    ['missing', 'bypassed', 'approved', 'invalid'],
  );
});

test('planNames() says nothing new of names that are accepted already', () => {
  const refused = { type: 'NamesAccepted', status: 'False', reason: 'ShortNamesConflict', message: 'm' };
  const kites = names('balls', 'Ball');

  const { acceptedNames, conditions } = planNames(definition({ names: kites }, { acceptedNames: kites, conditions: [refused] }), [taken]);

  assert.deepEqual(acceptedNames, kites);
  assert.deepEqual(conditions, []);
});
