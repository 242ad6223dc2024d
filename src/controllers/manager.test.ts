// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec } from '#api/core/v1';
import {
  configmaps,
  deployments,
  endpoints,
  endpointslices,
  events,
  jobs,
  namespaces,
  nodes,
  pods,
  replicasets,
  serviceaccounts,
  services,
} from '#api/resources';
import { Lab } from './_harness.ts';
import { isEnabled } from './manager.ts';

const podSpec = (image = 'i:1') => ({ containers: [{ name: 'c', image, resources: {} }] }) as unknown as PodSpec;
const web = (replicas: number, image?: string) => ({
  metadata: { namespace: 'default', name: 'web' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: podSpec(image) },
    strategy: { type: 'RollingUpdate' as const, rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
    revisionHistoryLimit: 10,
    progressDeadlineSeconds: 600,
  },
});
const WORKLOADS = ['deployment-controller', 'replicaset-controller'];

test('isEnabled() lets names win over the star', () => {
  assert.equal(isEnabled('a', ['*']), true);
  assert.equal(isEnabled('a', ['*', '-a']), false);
  assert.equal(isEnabled('a', ['b']), false);
  assert.equal(isEnabled('a', ['a']), true);
});

test('a Deployment becomes a ReplicaSet and Pods, and its status says so', async () => {
  await using lab = new Lab(WORKLOADS);
  await lab.api.create(deployments, web(3));
  await lab.settle();
  await lab.runPods();

  const [set] = lab.api.peekAll(replicasets);
  const found = lab.api.peek(deployments, { namespace: 'default', name: 'web' });
  assert.match(set?.metadata.name ?? '', /^web-[bcdf-hj-np-tv-xz2456789]+$/);
  assert.equal(set?.metadata.annotations?.['deployment.kubernetes.io/revision'], '1');
  assert.equal(lab.api.peekAll(pods).length, 3);
  assert.equal(found?.status.availableReplicas, 3);
  assert.deepEqual(
    found?.status.conditions?.map(({ type, status, reason }) => [type, status, reason]),
    [
      ['Available', 'True', 'MinimumReplicasAvailable'],
      ['Progressing', 'True', 'NewReplicaSetAvailable'],
    ],
  );
  const messages = lab.api.peekAll(events).map(({ message }) => message);
  assert.ok(messages.includes(`Scaled up replica set ${set?.metadata.name} from 0 to 3`));
});

test('a rolling update never goes below the least available nor above the most, and ends with one full set', async () => {
  await using lab = new Lab(WORKLOADS);
  await lab.api.create(deployments, web(4));
  await lab.settle();
  await lab.runPods();
  await lab.api.patch(deployments, { namespace: 'default', name: 'web' }, 'merge', { spec: web(4, 'i:2').spec });
  await lab.settle();

  for (let turn = 0; turn < 12; turn++) {
    const alive = lab.api.peekAll(pods).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const ready = alive.filter(({ status }) => status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'));
    assert.ok(ready.length >= 3, `only ${ready.length} ready in turn ${turn}`);
    assert.ok(alive.length <= 5, `${alive.length} Pods in turn ${turn}`);
    await lab.runPods();
  }

  const sizes = lab.api.peekAll(replicasets).map(({ spec }) => spec.replicas);
  assert.deepEqual(sizes, [0, 4]);
  assert.equal(
    lab.api.peek(deployments, { namespace: 'default', name: 'web' })?.metadata.annotations?.['deployment.kubernetes.io/revision'],
    '2',
  );
});

test('a rollout that does not move is reported after its deadline', async () => {
  await using lab = new Lab(WORKLOADS);
  await lab.api.create(deployments, web(1));
  await lab.settle();
  await lab.settle(605_000);

  const condition = lab.api
    .peek(deployments, { namespace: 'default', name: 'web' })
    ?.status.conditions?.find(({ type }) => type === 'Progressing');
  assert.equal(condition?.reason, 'ProgressDeadlineExceeded');
  assert.match(condition?.message ?? '', /^ReplicaSet "web-\S+" has timed out progressing\.$/);
});

test('a ReplicaSet adopts matching Pods, replaces deleted ones and makes no Pod twice', async () => {
  await using lab = new Lab(['replicaset-controller']);
  lab.api.seed(pods, {
    metadata: { namespace: 'default', name: 'stray', labels: { app: 'web' } },
    spec: podSpec(),
    status: { phase: 'Running' },
  });
  const { selector, template } = web(2).spec;
  await lab.api.create(replicasets, { metadata: { namespace: 'default', name: 'set' }, spec: { replicas: 2, selector, template } });
  await lab.settle();

  assert.equal(lab.api.peekAll(pods).length, 2);
  const stray = lab.api.peek(pods, { namespace: 'default', name: 'stray' });
  assert.equal(stray?.metadata.ownerReferences?.[0]?.kind, 'ReplicaSet');
  await lab.api.delete(pods, { namespace: 'default', name: 'stray' }, { gracePeriodSeconds: 0 });
  await lab.settle();
  assert.equal(lab.api.peekAll(pods).length, 2);
  assert.equal(lab.api.actions.filter(({ verb, resource }) => verb === 'create' && resource === 'pods').length, 2);
});

test('a Pod that is refused is reported, and tried again with backoff', async () => {
  await using lab = new Lab(['replicaset-controller']);
  using _refusal = lab.api.intercept(({ verb, resource }) => (verb === 'create' && resource === 'pods' ? new Error('no room') : undefined));
  const { selector, template } = web(2).spec;
  await lab.api.create(replicasets, { metadata: { namespace: 'default', name: 'set' }, spec: { replicas: 2, selector, template } });
  await lab.settle(20);

  const set = lab.api.peek(replicasets, { namespace: 'default', name: 'set' });
  assert.deepEqual(
    set?.status.conditions?.map(({ type, reason, message }) => [type, reason, message]),
    [['ReplicaFailure', 'FailedCreate', 'no room']],
  );
  assert.ok(lab.api.peekAll(events).some(({ reason, message }) => reason === 'FailedCreate' && message === 'Error creating: no room'));
});

test('Services get Endpoints and EndpointSlices of the Pods they select, ready and not', async () => {
  await using lab = new Lab(['endpoints-controller', 'endpointslice-controller']);
  for (const name of ['a', 'b']) {
    lab.api.seed(pods, {
      metadata: { namespace: 'default', name, labels: { app: 'web' } },
      spec: { ...podSpec(), nodeName: 'n1' },
      status: { phase: 'Pending' },
    });
  }
  await lab.api.create(services, {
    metadata: { namespace: 'default', name: 'web' },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080, protocol: 'TCP' }], clusterIP: '10.96.0.9' },
  });
  await lab.settle();
  assert.deepEqual(lab.api.peek(endpoints, { namespace: 'default', name: 'web' })?.subsets, []);
  await lab.runPods();
  await lab.api.patch(
    pods,
    { namespace: 'default', name: 'b' },
    'merge',
    { status: { conditions: [{ type: 'Ready', status: 'False' }] } },
    { subresource: 'status' },
  );
  await lab.settle();

  const [subset] = lab.api.peek(endpoints, { namespace: 'default', name: 'web' })?.subsets ?? [];
  assert.deepEqual(
    subset?.addresses?.map(({ ip }) => ip),
    ['10.244.0.1'],
  );
  assert.deepEqual(
    subset?.notReadyAddresses?.map(({ ip }) => ip),
    ['10.244.0.2'],
  );
  assert.deepEqual(subset?.ports, [{ port: 8080, protocol: 'TCP' }]);
  const slices = lab.api.peekAll(endpointslices);
  assert.equal(slices.length, 1);
  assert.equal(slices[0]?.metadata.labels?.['kubernetes.io/service-name'], 'web');
  assert.deepEqual(slices[0]?.endpoints.map(({ addresses, conditions }) => [addresses[0], conditions.ready]).sort(), [
    ['10.244.0.1', true],
    ['10.244.0.2', false],
  ]);
});

test('a namespace gets its account and authority, and is emptied and finalized when deleted', async () => {
  await using lab = new Lab(['serviceaccount-controller', 'root-ca-certificate-publisher-controller', 'namespace-controller'], {
    rootCa: 'PEM',
  });
  const json = (value: unknown) => () => ({ status: 200, headers: {}, body: new TextEncoder().encode(JSON.stringify(value)) });
  const verbs = ['list', 'delete', 'deletecollection'];
  lab.api.onRaw('/apis', json({ groups: [] }));
  lab.api.onRaw(
    '/api/v1',
    json({ resources: ['configmaps', 'serviceaccounts'].map((name) => ({ name, kind: name, namespaced: true, verbs })) }),
  );
  await lab.api.create(namespaces, { metadata: { name: 'foo' } });
  await lab.settle();
  assert.ok(lab.api.peek(serviceaccounts, { namespace: 'foo', name: 'default' }));
  assert.equal(lab.api.peek(configmaps, { namespace: 'foo', name: 'kube-root-ca.crt' })?.data?.['ca.crt'], 'PEM');

  await lab.api.delete(namespaces, { name: 'foo' });
  await lab.settle();

  assert.equal(lab.api.peek(namespaces, { name: 'foo' }), undefined);
  assert.equal(lab.api.peek(configmaps, { namespace: 'foo', name: 'kube-root-ca.crt' }), undefined);
});

test('the garbage collector removes what lost its owner, and lets go of what is orphaned', async () => {
  await using lab = new Lab(['garbage-collector-controller']);
  const owner = await lab.api.create(configmaps, { metadata: { namespace: 'default', name: 'owner' } });
  const ownerReferences = [
    { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid, controller: true, blockOwnerDeletion: true },
  ];
  await lab.api.create(configmaps, { metadata: { namespace: 'default', name: 'kept', ownerReferences } });
  await lab.settle();
  await lab.api.delete(configmaps, owner.metadata, { propagationPolicy: 'Orphan' });
  await lab.settle();
  assert.equal(lab.api.peek(configmaps, { namespace: 'default', name: 'owner' }), undefined);
  assert.equal(lab.api.peek(configmaps, { namespace: 'default', name: 'kept' })?.metadata.ownerReferences, undefined);

  // The owner is named and never was there.
  await lab.api.create(configmaps, { metadata: { namespace: 'default', name: 'lost', ownerReferences } });
  await lab.settle();
  assert.equal(lab.api.peek(configmaps, { namespace: 'default', name: 'lost' }), undefined);
});

test('foreground deletion waits until what blocks it is gone', async () => {
  await using lab = new Lab(['garbage-collector-controller']);
  const owner = await lab.api.create(configmaps, { metadata: { namespace: 'default', name: 'owner' } });
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid, blockOwnerDeletion: true }];
  await lab.api.create(configmaps, { metadata: { namespace: 'default', name: 'child', ownerReferences, finalizers: ['ex.org/hold'] } });
  await lab.settle();
  await lab.api.delete(configmaps, owner.metadata, { propagationPolicy: 'Foreground' });
  await lab.settle();
  assert.ok(lab.api.peek(configmaps, { namespace: 'default', name: 'child' })?.metadata.deletionTimestamp);
  assert.ok(lab.api.peek(configmaps, { namespace: 'default', name: 'owner' }));

  await lab.api.patch(configmaps, { namespace: 'default', name: 'child' }, 'merge', { metadata: { finalizers: null } });
  await lab.settle();

  assert.equal(lab.api.peek(configmaps, { namespace: 'default', name: 'owner' }), undefined);
});

test('a node that falls silent becomes Unknown and tainted, and its Pods are driven out when their toleration ends', async () => {
  await using lab = new Lab(['node-lifecycle-controller', 'taint-eviction-controller']);
  const ready = [
    { type: 'Ready', status: 'True' as const, reason: 'KubeletReady', message: '', lastHeartbeatTime: '2026-01-01T00:00:00Z' },
  ];
  for (const name of ['n1', 'n2']) lab.api.seed(nodes, { metadata: { name }, spec: {}, status: { conditions: ready } });
  const tolerations = [
    { key: 'node.kubernetes.io/unreachable', operator: 'Exists' as const, effect: 'NoExecute' as const, tolerationSeconds: 300 },
  ];
  lab.api.seed(pods, {
    metadata: { namespace: 'default', name: 'p' },
    spec: { ...podSpec(), nodeName: 'n1', tolerations },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
  });
  await lab.settle(30_000);
  // Only one of the two goes on speaking.
  const beat = () =>
    lab.api.patch(
      nodes,
      { name: 'n2' },
      'merge',
      { status: { conditions: [{ ...ready[0], lastHeartbeatTime: new Date(lab.clock.now()).toISOString() }] } },
      { subresource: 'status' },
    );
  await beat();
  await lab.settle(25_000);

  const silent = lab.api.peek(nodes, { name: 'n1' });
  assert.equal(silent?.status.conditions?.[0]?.status, 'Unknown');
  assert.deepEqual(
    silent?.spec.taints?.map(({ key, effect }) => `${key}:${effect}`),
    ['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'],
  );
  assert.equal(lab.api.peek(pods, { namespace: 'default', name: 'p' })?.status.conditions?.[0]?.status, 'False');
  assert.equal(lab.api.peek(nodes, { name: 'n2' })?.spec.taints, undefined);

  for (let turn = 0; turn < 8; turn++) {
    await beat();
    await lab.settle(40_000);
  }
  assert.ok(lab.api.peek(pods, { namespace: 'default', name: 'p' })?.metadata.deletionTimestamp);
});

test('nodes get blocks of the Pod range, lowest first, and what is taken is not given again', async () => {
  await using lab = new Lab(['node-ipam-controller'], { clusterCidr: '10.244.0.0/16' });
  lab.api.seed(nodes, { metadata: { name: 'old' }, spec: { podCIDR: '10.244.0.0/24', podCIDRs: ['10.244.0.0/24'] } });
  await lab.settle();
  await lab.api.create(nodes, { metadata: { name: 'new' }, spec: {} });
  await lab.settle();

  assert.equal(lab.api.peek(nodes, { name: 'new' })?.spec.podCIDR, '10.244.1.0/24');
});

test('a Job counts every Pod once, and ends when enough succeeded', async () => {
  await using lab = new Lab(['job-controller']);
  const selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': 'u' } };
  const template = { metadata: { labels: selector.matchLabels }, spec: { ...podSpec(), restartPolicy: 'Never' as const } };
  await lab.api.create(jobs, {
    metadata: { namespace: 'default', name: 'j' },
    spec: { completions: 3, parallelism: 2, backoffLimit: 6, selector, template },
  });
  await lab.settle();
  assert.equal(lab.api.peekAll(pods).length, 2);
  await lab.runPods('Succeeded');
  await lab.runPods('Succeeded');
  await lab.settle();

  const job = lab.api.peek(jobs, { namespace: 'default', name: 'j' });
  assert.equal(job?.status.succeeded, 3);
  assert.deepEqual(
    job?.status.conditions?.map(({ type, reason }) => [type, reason]),
    [
      ['SuccessCriteriaMet', 'CompletionsReached'],
      ['Complete', 'CompletionsReached'],
    ],
  );
  assert.ok(lab.api.peekAll(pods).every(({ metadata }) => (metadata.finalizers ?? []).length === 0));
});
