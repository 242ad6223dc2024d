// SPDX-License-Identifier: Apache-2.0
// The rules of priority and fairness that need no time: matching, hands of queues, dividing seats, judging lists.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FlowSchema } from '#api/flowcontrol/v1';
import type { DeepReadonly } from '#machinery';
import type { UserInfo } from '../auth/user.ts';
import { RequestContext } from '../request/context.ts';
import { requestInfoOf } from '../request/request-info.ts';
import { flowSchemas, priorityLevels } from './flow-objects.ts';
import { FlowMatcher } from './matcher.ts';
import { divideSeats, type SeatWish, seatLimitsOf, sharesOf } from './seat-limits.ts';
import { dealHand } from './shuffle-sharding.ts';
import { seatsOf } from './work-estimate.ts';

const schemas = flowSchemas() as readonly DeepReadonly<FlowSchema>[];
const matcher = new FlowMatcher(
  schemas.map((schema) => [schema, schema.metadata.name ?? ''] as const),
  'nothing',
);
const userOf = (name: string, ...groups: string[]): UserInfo => ({ name, uid: '', groups, extra: {} });
const authenticated = 'system:authenticated';

const matches: readonly (readonly [string, UserInfo, string, string, string])[] = [
  ['an administrator', userOf('a', 'system:masters', authenticated), 'GET', '/api/v1/pods', 'exempt'],
  ['a probe of nobody', userOf('system:anonymous', 'system:unauthenticated'), 'GET', '/readyz', 'probes'],
  ['a deeper health path', userOf('system:anonymous', 'system:unauthenticated'), 'GET', '/readyz/etcd', 'global-default'],
  ['the scheduler', userOf('system:kube-scheduler', authenticated), 'GET', '/api/v1/pods', 'kube-scheduler'],
  [
    'its lease',
    userOf('system:kube-scheduler', authenticated),
    'PUT',
    '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/s',
    'system-leader-election',
  ],
  ['a node about itself', userOf('system:node:n', 'system:nodes', authenticated), 'PATCH', '/api/v1/nodes/n/status', 'system-node-high'],
  ['a node about pods', userOf('system:node:n', 'system:nodes', authenticated), 'GET', '/api/v1/pods', 'system-nodes'],
  [
    'an account of kube-system',
    userOf('system:serviceaccount:kube-system:x', 'system:serviceaccounts', authenticated),
    'GET',
    '/api/v1/pods',
    'kube-system-service-accounts',
  ],
  [
    'another account',
    userOf('system:serviceaccount:d:x', 'system:serviceaccounts', authenticated),
    'GET',
    '/api/v1/pods',
    'service-accounts',
  ],
  ['anybody', userOf('u', authenticated), 'GET', '/api/v1/pods', 'global-default'],
  ['one in no group', userOf('u'), 'GET', '/api/v1/pods', 'nothing'],
];
for (const [who, user, method, path, expected] of matches) {
  test(`${who} with ${method} ${path} belongs to ${expected}`, () => {
    assert.equal(matcher.match(user, requestInfoOf(method, path, undefined)), expected);
  });
}

test('a hand has different queues of the deck, whatever the hash', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 8 }), (hash, deck, size) => {
      const hand = dealHand(hash, deck, Math.min(size, deck));
      assert.equal(new Set(hand).size, Math.min(size, deck));
      assert.ok(hand.every((card) => card >= 0 && card < deck));
    }),
  );
});

test('hands are spread evenly over the deck', () => {
  const seen = new Array<number>(16).fill(0);
  for (let hash = 0n; hash < 3360n; hash++) for (const card of dealHand(hash, 16, 3)) seen[card] = (seen[card] ?? 0) + 1;

  assert.deepEqual(new Set(seen), new Set([630]));
});

test('the bootstrap levels get the seats upstream gives them of 600', () => {
  const levels = priorityLevels();
  const specs = levels.map(({ spec }) => spec as Parameters<typeof sharesOf>[0]);
  const sum = specs.reduce((shares, spec) => shares + sharesOf(spec), 0);

  const limits = Object.fromEntries(
    levels.map(({ metadata }, index) => [metadata?.name ?? '', seatLimitsOf(specs[index] as never, 600, sum)]),
  );

  assert.deepEqual(limits['workload-low'], { nominal: 245, lower: 24, upper: 600 });
  assert.deepEqual(limits['system'], { nominal: 74, lower: 50, upper: 600 });
  assert.deepEqual(limits['exempt'], { nominal: 0, lower: 0, upper: 600 });
});

test('what idle levels may lend goes to the one that wants it', () => {
  const idle: SeatWish = { nominal: 100, lower: 10, upper: 200, exempt: false, highest: 0, smoothed: 0 };
  const busy: SeatWish = { nominal: 100, lower: 50, upper: 200, exempt: false, highest: 190, smoothed: 190 };

  const { seats } = divideSeats([idle, busy]);

  assert.deepEqual(seats, [10, 190]);
});

test('a division never leaves a level below its floor nor above what it may borrow', () => {
  const wish = fc.record({
    nominal: fc.integer({ min: 1, max: 300 }),
    lend: fc.double({ min: 0, max: 1, noNaN: true }),
    demand: fc.integer({ min: 0, max: 2000 }),
  });
  fc.assert(
    fc.property(fc.array(wish, { minLength: 1, maxLength: 8 }), (all) => {
      const total = all.reduce((sum, { nominal }) => sum + nominal, 0);
      const wishes = all.map(({ nominal, lend, demand }): SeatWish => {
        const lower = nominal - Math.floor(nominal * lend);
        return { nominal, lower, upper: total, exempt: false, highest: demand, smoothed: demand };
      });
      const { seats } = divideSeats(wishes);
      for (const [index, { lower, upper }] of wishes.entries()) assert.ok((seats[index] ?? -1) >= lower && (seats[index] ?? 0) <= upper);
      assert.ok(seats.reduce((sum, count) => sum + count, 0) <= total + wishes.length);
    }),
  );
});

/** Bytes of all objects, how many there are, the query, and the seats: from the store and from the cache. */
const lists: readonly (readonly [number, number, string, number | undefined, number | undefined])[] = [
  [99_999, 99, '', 1, 1],
  [99_999, 10, '', 1, 1],
  [999_999, 1000, '', 10, 10],
  [999_999, 1000, 'limit=100', 1, 1],
  [999_999, 1000, 'limit=100&labelSelector=a', 5, 1],
  [999_999, 99, '', 10, 10],
  [999_999, 99, 'limit=10', 2, undefined],
  [999_999, 99, 'limit=10&labelSelector=a', 5, undefined],
  [9_999_999, 1000, '', 100, 10],
  [9_999_999, 1000, 'limit=100', 10, 10],
  [9_999_999, 1000, 'limit=100&labelSelector=a', 50, 10],
  [9_999_999, 99, '', 100, 10],
  [9_999_999, 99, 'limit=10', 11, 10],
  [9_999_999, 99, 'limit=10&fieldSelector=a%3Db', 50, 10],
];
for (const [bytes, objects, query, fromStore, fromCache] of lists) {
  for (const [place, expected] of Object.entries({ 'continue=x': fromStore, '': fromCache })) {
    if (expected === undefined) continue;
    test(`a list of ${objects} objects with ${bytes} bytes by "${query}&${place}" takes ${expected} seats`, () => {
      const parameters = new URLSearchParams(`${query}&${place}`);
      const context = new RequestContext({} as never, requestInfoOf('GET', '/api/v1/pods', parameters), parameters, 0);

      assert.equal(
        seatsOf(context, 0, () => ({ objects, averageBytes: Math.floor(bytes / objects) })),
        expected,
      );
    });
  }
}

const widths: readonly (readonly [string, string, number])[] = [
  ['/api/v1/namespaces/a/pods/p', '', 1],
  ['/api/v1/pods', '', 10],
  ['/api/v1/pods', 'limit=100', 1],
  ['/api/v1/pods', 'limit=500', 5],
  ['/api/v1/pods', 'fieldSelector=metadata.name%3Dp', 1],
  ['/api/v1/pods', 'watch=true', 1],
  ['/api/v1/pods', 'watch=true&sendInitialEvents=true', 10],
  ['/api/v1/secrets', '', 1],
  ['/api/v1/pods', 'continue=x', 37],
  ['/api/v1/pods', 'limit=500&resourceVersion=5&labelSelector=a', 25],
  ['/api/v1/pods', 'limit=500&resourceVersion=0&labelSelector=a', 5],
  ['/api/v1/pods', 'labelSelector=&resourceVersionMatch=Exact&resourceVersion=5&limit=500', 5],
  ['/api/v1/pods', 'limit=many', 37],
  ['/api/v1/empty', '', 1],
];
for (const [path, query, expected] of widths) {
  test(`GET ${path}?${query} takes ${expected} seats`, () => {
    const parameters = new URLSearchParams(query);
    const context = new RequestContext({} as never, requestInfoOf('GET', path, parameters), parameters, 0);
    const size = (_group: string, resource: string) => (resource === 'pods' ? { objects: 5_000, averageBytes: 1_000 } : undefined);

    assert.equal(seatsOf(context, 245, size), expected);
  });
}
