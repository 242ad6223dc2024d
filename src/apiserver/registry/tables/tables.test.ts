// SPDX-License-Identifier: Apache-2.0
// Rows of tables, kind by kind: one fact per line, what kubectl's printers write of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MutableObject } from '../strategy.ts';
import { scaleTable, tableOf } from './mod.ts';

const NOW = Date.parse('2026-01-02T00:00:00Z');

/** The cells of an object by the names of their columns. */
function rowOf(name: string, object: object): Record<string, unknown> {
  const [group = '', kind = ''] = name.split('/');
  const table = tableOf({ group, kind });
  const cells = table.cells(
    { metadata: { name: 'x', creationTimestamp: '2026-01-01T00:00:00Z' }, ...object } as unknown as MutableObject,
    NOW,
  );
  return Object.fromEntries(table.columns.map((column, index) => [column.name, cells[index]]));
}

const balancer = (...ingress: object[]) => ({ status: { loadBalancer: { ingress } } });
const metric = (target: object, current?: object, type = 'external') => ({
  spec: { scaleTargetRef: { kind: 'Deployment', name: 'd' }, maxReplicas: 3, metrics: [{ type, [type]: { name: 'cpu', target } }] },
  status: { currentMetrics: current === undefined ? undefined : [{ type, [type]: { name: 'cpu', current } }] },
});
const condition = (type: string, status = 'True') => ({ type, status });

const CASES: readonly (readonly [fact: string, kind: string, object: object, column: string, cell: unknown])[] = [
  [
    'addresses of a load balancer are not cut, each is there once, in order',
    '/Service',
    { spec: { type: 'LoadBalancer' }, ...balancer({ hostname: 'long.name.example.com' }, { ip: '2.3.4.5' }, { ip: '2.3.4.5' }) },
    'External-IP',
    '2.3.4.5,long.name.example.com',
  ],
  [
    'external IPs follow those of the balancer',
    '/Service',
    { spec: { type: 'LoadBalancer', externalIPs: ['9.9.9.9'] }, ...balancer({ ip: '2.3.4.5' }) },
    'External-IP',
    '2.3.4.5,9.9.9.9',
  ],
  ['a balancer without an address is pending', '/Service', { spec: { type: 'LoadBalancer' } }, 'External-IP', '<pending>'],
  ['no subsets are none', '/Endpoints', { subsets: [] }, 'Endpoints', '<none>'],
  [
    'subsets without a ready address show nothing',
    '/Endpoints',
    { subsets: [{ notReadyAddresses: [{ ip: '1.1.1.1' }] }] },
    'Endpoints',
    '',
  ],
  [
    'a port without a number goes by its name',
    'discovery.k8s.io/EndpointSlice',
    { addressType: 'IPv4', ports: [{ name: 'web' }, { name: 'w', port: 80 }, {}, { port: 1 }] },
    'Ports',
    'web,80,* + 1 more...',
  ],
  [
    'a nameless port without a number is unset',
    'discovery.k8s.io/EndpointSlice',
    { addressType: 'IPv4', ports: [{ name: '' }] },
    'Ports',
    '<unset>',
  ],
  [
    'rules without a host count among those left over only',
    'networking.k8s.io/Ingress',
    { spec: { rules: [{ host: 'a' }, {}, { host: 'b' }, { host: 'c' }, { host: 'd' }] } },
    'Hosts',
    'a,b,c + 2 more...',
  ],
  ['a rule without a host shows nothing', 'networking.k8s.io/Ingress', { spec: { rules: [{ host: 'a' }, {}] } }, 'Hosts', 'a'],
  [
    'the class is the field, not the annotation',
    'networking.k8s.io/Ingress',
    { metadata: { name: 'x', annotations: { 'kubernetes.io/ingress.class': 'old' } }, spec: {} },
    'Class',
    '<none>',
  ],
  [
    'an account without a namespace goes by its name',
    'rbac.authorization.k8s.io/RoleBinding',
    { roleRef: { kind: 'Role', name: 'r' }, subjects: [{ kind: 'ServiceAccount', name: 's' }] },
    'ServiceAccounts',
    's',
  ],
  [
    'a failed request is still pending',
    'certificates.k8s.io/CertificateSigningRequest',
    { spec: {}, status: { conditions: [condition('Failed')] } },
    'Condition',
    'Pending,Failed',
  ],
  [
    'what is denied is not approved',
    'certificates.k8s.io/CertificateSigningRequest',
    { spec: {}, status: { conditions: [condition('Approved'), condition('Denied')], certificate: 'eA==' } },
    'Condition',
    'Denied,Issued',
  ],
  [
    'shares of an exempt level are not shown',
    'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration',
    { spec: { type: 'Exempt', exempt: { nominalConcurrencyShares: 5 } } },
    'NominalConcurrencyShares',
    '<none>',
  ],
  [
    'a claim is reserved only when allocated',
    'resource.k8s.io/ResourceClaim',
    { status: { reservedFor: [{ name: 'p' }] } },
    'State',
    'pending',
  ],
  [
    'the old annotation makes a class the default one as well',
    'storage.k8s.io/StorageClass',
    { metadata: { name: 'x', annotations: { 'storageclass.beta.kubernetes.io/is-default-class': 'true' } }, provisioner: 'p' },
    'Name',
    'x (default)',
  ],
  ['a class binds at once unless it says otherwise', 'storage.k8s.io/StorageClass', { provisioner: 'p' }, 'VolumeBindingMode', 'Immediate'],
  [
    'an empty class of attributes is one',
    '/PersistentVolumeClaim',
    { spec: { volumeAttributesClassName: '' } },
    'VolumeAttributesClass',
    '',
  ],
  [
    'a parameter by name may be in any namespace',
    'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding',
    { spec: { paramRef: { name: 'p' } } },
    'ParamRef',
    '*/p',
  ],
  [
    'a parameter by selector is shown as Go prints selectors',
    'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding',
    {
      spec: {
        paramRef: { selector: { matchLabels: { b: '1', a: '2' }, matchExpressions: [{ key: 'k', operator: 'In', values: ['x', 'y'] }] } },
      },
    },
    'ParamRef',
    '&LabelSelector{MatchLabels:map[string]string{a: 2,b: 1,},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:k,Operator:In,Values:[x y],},},}',
  ],
  ['an event of a nameless object shows its kind', '/Event', { involvedObject: { kind: 'Node' } }, 'Object', 'node'],
  ['a component without the condition is unknown', '/ComponentStatus', {}, 'Status', 'Unknown'],
  [
    'a quantity that is not there prints as Go prints nothing',
    'autoscaling/HorizontalPodAutoscaler',
    metric({ value: '5' }, {}),
    'Targets',
    '<nil>/5',
  ],
  ['a metric without a status is unknown', 'autoscaling/HorizontalPodAutoscaler', metric({ value: '5' }), 'Targets', '<unknown>/5'],
  [
    'an average is called one',
    'autoscaling/HorizontalPodAutoscaler',
    metric({ averageValue: '5' }, { averageValue: '3' }),
    'Targets',
    '3/5 (avg)',
  ],
  [
    'a resource without a target goes by itself',
    'autoscaling/HorizontalPodAutoscaler',
    metric({}, { averageUtilization: 7 }, 'resource'),
    'Targets',
    'cpu: 7%/<auto>',
  ],
  [
    'a Pod whose node is lost is unknown',
    '/Pod',
    { metadata: { name: 'x', deletionTimestamp: 'now' }, spec: {}, status: { reason: 'NodeLost' } },
    'Status',
    'Unknown',
  ],
  [
    'a finished Pod stays finished while it is deleted',
    '/Pod',
    { metadata: { name: 'x', deletionTimestamp: 'now' }, spec: {}, status: { phase: 'Succeeded' } },
    'Status',
    'Succeeded',
  ],
  [
    'a Pod with a container done and one running is ready or not',
    '/Pod',
    {
      spec: { containers: [{ name: 'a' }, { name: 'b' }] },
      status: {
        containerStatuses: [
          { name: 'a', state: { terminated: { reason: 'Completed', exitCode: 0 } } },
          { name: 'b', ready: true, state: { running: {} } },
        ],
      },
    },
    'Status',
    'NotReady',
  ],
  [
    'restarts say how long ago the last one was',
    '/Pod',
    {
      spec: { containers: [{ name: 'a' }] },
      status: {
        containerStatuses: [{ name: 'a', restartCount: 2, lastState: { terminated: { finishedAt: '2026-01-01T23:59:50Z' } }, state: {} }],
      },
    },
    'Restarts',
    '2 (10s ago)',
  ],
];

for (const [fact, kind, object, column, cell] of CASES) {
  test(`${kind}: ${fact}`, () => {
    assert.deepEqual(rowOf(kind, object)[column], cell);
  });
}

test('rows of addresses have one cell more than there are columns', () => {
  const { columns, cells } = tableOf({ group: 'networking.k8s.io', kind: 'IPAddress' });

  assert.equal(columns.length, 2);
  assert.deepEqual(cells({ metadata: { name: '10.0.0.1' }, spec: {} } as unknown as MutableObject, NOW), [
    '10.0.0.1',
    '<none>',
    '<unknown>',
  ]);
});

test('flow schemas are in the order they are matched in', () => {
  const { order } = tableOf({ group: 'flowcontrol.apiserver.k8s.io', kind: 'FlowSchema' });
  const schema = (name: string, matchingPrecedence: number) =>
    ({ metadata: { name }, spec: { matchingPrecedence } }) as unknown as MutableObject;

  const sorted = [schema('b', 9), schema('z', 1), schema('a', 9)].sort((a, b) => order?.(a, b) ?? 0);

  assert.deepEqual(
    sorted.map(({ metadata }) => metadata.name),
    ['z', 'a', 'b'],
  );
});

test('the table of a Scale shows what is desired and what there is', () => {
  const scale = { metadata: { name: 'd' }, spec: { replicas: 3 }, status: { replicas: 1 } } as unknown as MutableObject;

  assert.deepEqual(
    scaleTable.columns.map(({ name, format }) => name + format),
    ['Name', 'Desired', 'Available', 'Age'],
  );
  assert.deepEqual(scaleTable.cells(scale, NOW), ['d', 3, 1, '<unknown>']);
});
