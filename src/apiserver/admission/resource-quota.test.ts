// SPDX-License-Identifier: Apache-2.0
// What ResourceQuota counts, in which quota, and what it refuses where no quota covers what is limited.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findResource, pods, resourcequotas } from '#api';
import { conflict, type Resource } from '#machinery';
import { admitted, depsOf, type Given, pod, updated } from './_test-plugins.ts';
import { resourceQuota } from './resource-quota.ts';

const core = (plural: string) => findResource('', 'v1', plural) as unknown as Resource;
const quota = (name: string, hard: object, used: object, spec: object = {}) => ({
  metadata: { name, namespace: 'ns' },
  spec: { hard, ...spec },
  status: { hard, used },
});
const asking = (cpu: string, spec: object = {}) =>
  pod({ containers: [{ name: 'c', image: 'i', resources: { requests: { cpu } } }], ...spec });
const scoped = (operator: string, values?: readonly string[], scopeName = 'PriorityClass') => ({
  scopeSelector: { matchExpressions: [{ scopeName, operator, ...(values && { values }) }] },
});

/** The new use by quota, or what the plugin refuses with. */
async function outcome(given: Given, quotas: readonly object[], limitedResources: readonly object[] = []): Promise<unknown> {
  updated.length = 0;
  try {
    await admitted(resourceQuota({ limitedResources }), given, { objects: { resourcequotas: quotas } });
  } catch (error) {
    const { code, message } = error as { code: number; message: string };
    return [code, message.replace(/^.* is forbidden: /, '')];
  }
  return Object.fromEntries(updated.map(({ metadata, status }) => [metadata.name, (status as { used: object }).used]));
}

const limitedCpu = [{ resource: 'pods', matchContains: ['cpu'] }];
const critical = { scopeName: 'PriorityClass', operator: 'In', values: ['critical'] };
const limitedClass = [{ resource: 'pods', matchScopes: [critical] }];
const uncovered = [500, 'insufficient quota to match these scopes: [{PriorityClass In [critical]}]'];
const ofClass = (priorityClassName: string) => ({ object: asking('1', { priorityClassName }) });
const room = (name: string, spec: object = {}) => quota(name, { pods: '5' }, { pods: '3' }, spec);
const service = (type: string) => ({ metadata: { name: 'x' }, spec: { type, ports: [{ port: 1 }] } });

const FACTS: readonly (readonly [
  title: string,
  given: Given,
  quotas: readonly object[],
  expected: unknown,
  limited?: readonly object[],
])[] = [
  [
    'a Pod below the limit is added',
    { object: asking('100m') },
    [quota('q', { cpu: '3', pods: '5' }, { cpu: '1', pods: '3' })],
    { q: { cpu: '1100m', pods: '4' } },
  ],
  [
    'a Pod above the limit is refused, by what is exceeded',
    { object: asking('3') },
    [quota('q', { cpu: '3', pods: '5' }, { cpu: '1', pods: '3' })],
    [403, 'exceeded quota: q, requested: cpu=3, used: cpu=1, limited: cpu=3'],
  ],
  ['subresources are not counted', { object: asking('3'), subresource: 'status' }, [quota('q', { cpu: '1' }, { cpu: '1' })], {}],
  ['removals are not counted', { operation: 'DELETE' }, [quota('q', { cpu: '1' }, { cpu: '1' })], {}],
  [
    'a Pod with a deadline is counted as terminating',
    { object: asking('1', { activeDeadlineSeconds: 30 }) },
    [room('a', { scopes: ['NotTerminating'] }), room('b', { scopes: ['Terminating'] })],
    { b: { pods: '4' } },
  ],
  [
    'a Pod that asks for nothing is best effort',
    { object: pod({}) },
    [room('a', { scopes: ['NotBestEffort'] }), room('b', { scopes: ['BestEffort'] })],
    { b: { pods: '4' } },
  ],
  ['quotas with scopes count no other objects', { resource: core('secrets'), object: {} }, [room('a', { scopes: ['Terminating'] })], {}],
  [
    'quotas count quotas',
    { resource: resourcequotas as unknown as Resource, object: { spec: {} } },
    [quota('q', { resourcequotas: '1' }, { resourcequotas: '1' })],
    [403, 'exceeded quota: q, requested: resourcequotas=1, used: resourcequotas=1, limited: resourcequotas=1'],
  ],
  ['events are not counted', { resource: core('events'), object: {} }, [quota('q', { 'count/events': '0' }, { 'count/events': '0' })], {}],
  [
    'nor are they under their newer name',
    { resource: findResource('events.k8s.io', 'v1', 'events') as unknown as Resource, object: {} },
    [quota('q', { 'count/events.events.k8s.io': '0' }, { 'count/events.events.k8s.io': '0' })],
    {},
  ],
  [
    'a Service that becomes a load balancer is counted by what is new of it',
    { resource: core('services'), operation: 'UPDATE', object: service('LoadBalancer'), oldObject: service('NodePort') },
    [
      quota(
        'q',
        { services: '1', 'services.loadbalancers': '1', 'services.nodeports': '1' },
        { services: '1', 'services.loadbalancers': '0', 'services.nodeports': '1' },
      ),
    ],
    { q: { services: '1', 'services.loadbalancers': '1', 'services.nodeports': '1' } },
  ],
  [
    'what comes into the scope by an update counts as new',
    {
      operation: 'UPDATE',
      subresource: 'resize',
      object: asking('1', { priorityClassName: 'a' }),
      oldObject: asking('1', { priorityClassName: 'b' }),
    },
    [room('q', scoped('In', ['a'])), room('other')],
    { q: { pods: '4' } },
  ],
  [
    'what is limited may be used in no namespace without a quota',
    { object: asking('1') },
    [],
    [403, 'insufficient quota to consume: cpu,requests.cpu'],
    limitedCpu,
  ],
  [
    'nor with a quota for something else',
    { object: asking('1') },
    [room('q')],
    [403, 'insufficient quota to consume: cpu,requests.cpu'],
    limitedCpu,
  ],
  [
    'a quota that names it in its status covers it',
    { object: asking('1') },
    [quota('q', { cpu: '3', 'requests.cpu': '3' }, { cpu: '1', 'requests.cpu': '1' })],
    { q: { cpu: '2', 'requests.cpu': '2' } },
    limitedCpu,
  ],
  ['what is not used needs no cover', { object: asking('0') }, [], {}, limitedCpu],
  [
    'what is limited of other kinds means nothing here',
    { object: asking('1') },
    [],
    {},
    [{ resource: 'services', matchContains: ['cpu'] }],
  ],
  ['nor of other groups', { object: asking('1') }, [], {}, [{ ...limitedCpu[0], apiGroup: 'apps' }]],
  [
    'an unknown use comes before what is not covered',
    { object: asking('1') },
    [quota('q', { pods: '1' }, {})],
    [403, 'status unknown for quota: q, resources: pods'],
    limitedCpu,
  ],
  ['a limited scope wants a quota that has it', ofClass('critical'), [], uncovered, limitedClass],
  ['and any quota without scopes is none', ofClass('critical'), [room('q')], uncovered, limitedClass],
  ['nor is one whose scope is another', ofClass('critical'), [room('q', scoped('In', ['low']))], uncovered, limitedClass],
  ['nor one whose scope excludes it', ofClass('critical'), [room('q', scoped('NotIn', ['critical']))], uncovered, limitedClass],
  ['one with the scope covers it', ofClass('critical'), [room('q', scoped('In', ['critical']))], { q: { pods: '4' } }, limitedClass],
  ['also where the scope is met by any value', ofClass('critical'), [room('q', scoped('Exists'))], { q: { pods: '4' } }, limitedClass],
  [
    'also where another scope of that quota is not met',
    ofClass('critical'),
    [room('q', { ...scoped('In', ['critical']), scopes: ['BestEffort'] })],
    {},
    limitedClass,
  ],
  ['what is not in the limited scope is free', ofClass('low'), [], {}, limitedClass],
];

for (const [title, given, quotas, expected, limited] of FACTS)
  test(`ResourceQuota: ${title}`, async () => {
    assert.deepEqual(await outcome(given, quotas, limited), expected);
  });

test('ResourceQuota does not count again where it has, after another quota was in conflict', async () => {
  const live = [room('a'), room('b')];
  const deps = depsOf({ objects: { resourcequotas: live } });
  let conflicts = 1;
  const written: string[] = [];
  const update: typeof deps.update = async (_resource, object) => {
    const name = object.metadata.name ?? '';
    if (name === 'b' && conflicts-- > 0) throw conflict(resourcequotas, name, 'changed');
    written.push(name);
  };
  const request = { operation: 'CREATE', resource: pods, subresource: '', namespace: 'ns', name: 'x', object: asking('1'), dryRun: false };
  await resourceQuota().validate?.(request as never, { ...deps, update });
  assert.deepEqual(written, ['a', 'b']);
});

test('ResourceQuota wants each limit to name a resource', () => {
  assert.throws(() => resourceQuota({ limitedResources: [{ resource: 'pods' }, {}] }), {
    message: 'configure ResourceQuota: limitedResources[1].resource: Required value',
  });
});
