// SPDX-License-Identifier: Apache-2.0
// The plugins that are off unless named, and the small ones: what they change, and what they refuse.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { events, namespaces, nodes, services } from '#api';
import { ApiError, type Resource } from '#machinery';
import { admitted, type Given, made, pod, refused } from './_test-plugins.ts';
import { clustertrustbundlesOf } from './_test-resources.ts';
import { readAdmissionConfiguration } from './admission-configuration.ts';
import { alwaysDeny, alwaysPullImages, denyServiceExternalIPs, limitPodHardAntiAffinityTopology } from './always.ts';
import { clusterTrustBundleAttest } from './certificates.ts';
import { eventRateLimit } from './event-rate-limit.ts';
import { namespaceAutoProvision, namespaceExists } from './namespace-plugins.ts';
import { extendedResourceToleration, podTopologyLabels } from './node-topology.ts';
import { ownerReferencesPermissionEnforcement } from './owner-references.ts';
import { podNodeSelector } from './pod-node-selector.ts';
import { podSecurity } from './pod-security/mod.ts';
import { podTolerationRestriction } from './pod-toleration-restriction.ts';

const namespace = (annotations: Record<string, string> = {}) => ({ namespaces: [{ metadata: { name: 'ns', annotations } }] });

test('AlwaysDeny refuses everything', () => refused(alwaysDeny, { object: pod({}) }, /admission control is denying all modifications/));

test('AlwaysPullImages makes new images be pulled, and leaves updates without new images alone', async () => {
  const images = async (given: Given) =>
    (await admitted(alwaysPullImages, given))['spec'] as { containers: { imagePullPolicy?: string }[] };
  const { containers } = await images({ object: pod({}) });
  assert.equal(containers[0]?.imagePullPolicy, 'Always');
  const updated = await images({ operation: 'UPDATE', object: pod({}), oldObject: pod({}) });
  assert.equal(updated.containers[0]?.imagePullPolicy, undefined);
});

test('DenyServiceExternalIPs refuses addresses that were not there', async () => {
  const service = (externalIPs: string[]) => ({ spec: { externalIPs } });
  const resource = services as unknown as Resource;
  await refused(denyServiceExternalIPs, { resource, object: service(['1.2.3.4']) }, /Use of external IPs is denied by admission control/);
  await admitted(denyServiceExternalIPs, {
    resource,
    operation: 'UPDATE',
    object: service(['1.2.3.4']),
    oldObject: service(['1.2.3.4', '5.6.7.8']),
  });
});

test('LimitPodHardAntiAffinityTopology allows hosts only', async () => {
  const affinity = (topologyKey: string) =>
    pod({ affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey }] } } });
  await admitted(limitPodHardAntiAffinityTopology, { object: affinity('kubernetes.io/hostname') });
  await refused(
    limitPodHardAntiAffinityTopology,
    { object: affinity('zone') },
    /has TopologyKey zone but only key kubernetes.io\/hostname is allowed/,
  );
});

test('NamespaceAutoProvision makes the namespace, NamespaceExists demands it', async () => {
  await admitted(namespaceAutoProvision, { object: pod({}) });
  assert.deepEqual(made.splice(0), ['namespaces/ns']);
  await admitted(namespaceAutoProvision, { object: pod({}) }, { objects: namespace() });
  assert.deepEqual(made, []);
  await refused(namespaceExists, { object: pod({}) }, /namespaces "ns" not found/);
  await admitted(namespaceExists, { object: pod({}) }, { objects: namespace() });
});

test('PodTopologyLabels copies zone and region to Pods and bindings, and replaces nothing', async () => {
  const zone = 'topology.kubernetes.io/zone';
  const world = { objects: { nodes: [{ metadata: { name: 'n', labels: { [zone]: 'z', other: 'o' } } }] } };
  const bound = await admitted(podTopologyLabels, { subresource: 'binding', object: { target: { kind: 'Node', name: 'n' } } }, world);
  assert.deepEqual(bound.metadata.labels, { [zone]: 'z' });
  const own = await admitted(podTopologyLabels, { object: pod({ nodeName: 'n' }, { labels: { [zone]: 'mine' } }) }, world);
  assert.deepEqual(own.metadata.labels, { [zone]: 'mine' });
  assert.equal((await admitted(podTopologyLabels, { object: pod({}) }, world)).metadata.labels, undefined);
  assert.ok(nodes.resource);
});

test('ExtendedResourceToleration tolerates the devices that are asked for', async () => {
  const containers = [{ name: 'c', image: 'i', resources: { requests: { 'example.com/gpu': '1', cpu: '1' } } }];
  const { spec } = (await admitted(extendedResourceToleration, { object: pod({ containers }) })) as unknown as {
    spec: { tolerations: unknown };
  };
  assert.deepEqual(spec.tolerations, [{ key: 'example.com/gpu', operator: 'Exists', effect: 'NoSchedule' }]);
});

test('OwnerReferencesPermissionEnforcement asks for delete of the object and finalizers of a blocked owner', async () => {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: 'u', blockOwnerDeletion: true };
  const object = pod({}, { ownerReferences: [owner] });
  const plugin = ownerReferencesPermissionEnforcement;
  await admitted(plugin, { object: pod({}) }, { allows: () => false });
  const update = { operation: 'UPDATE' as const, object, oldObject: pod({}) };
  await refused(plugin, update, /cannot set an ownerRef on a resource you can't delete/, { allows: ({ verb }) => verb !== 'delete' });
  await admitted(plugin, { object }, { allows: ({ verb }) => verb !== 'delete' });
  await refused(plugin, { object }, /refers to a resource you can't set finalizers on/, { allows: ({ verb }) => verb === 'delete' });
  const odd = pod({}, { ownerReferences: [{ ...owner, kind: 'Nothing' }] });
  await refused(plugin, { object: odd }, /cannot find RESTMapping for APIVersion apps\/v1 Kind Nothing/);
  await admitted(plugin, { object });
});

test('ClusterTrustBundleAttest asks for attest of the signer', async () => {
  const given = { resource: clustertrustbundlesOf(), object: { spec: { signerName: 'example.com/a', trustBundle: '' } } };
  await refused(clusterTrustBundleAttest, given, /user not permitted to attest for signerName "example.com\/a"/, { allows: () => false });
  await admitted(clusterTrustBundleAttest, given, { allows: ({ name }) => name === 'example.com/*' });
});

test('PodNodeSelector merges what the namespace selects, and refuses conflicts', async () => {
  const world = { objects: namespace({ 'scheduler.alpha.kubernetes.io/node-selector': 'env=test' }) };
  const { spec } = (await admitted(podNodeSelector(undefined), { object: pod({ nodeSelector: { a: 'b' } }) }, world)) as unknown as {
    spec: object;
  };
  assert.deepEqual((spec as { nodeSelector: object }).nodeSelector, { env: 'test', a: 'b' });
  await refused(
    podNodeSelector(undefined),
    { object: pod({ nodeSelector: { env: 'x' } }) },
    /conflicts with its namespace node label selector/,
    world,
  );
  const limited = podNodeSelector({ podNodeSelectorPluginConfig: { ns: 'env=prod' } });
  await refused(limited, { object: pod({}) }, /labels conflict with its namespace whitelist/, world);
});

test('PodTolerationRestriction adds the defaults of a namespace and refuses what it does not list', async () => {
  const key = 'scheduler.alpha.kubernetes.io';
  const world = {
    objects: namespace({
      [`${key}/defaultTolerations`]: JSON.stringify([{ key: 'a', operator: 'Exists' }]),
      [`${key}/tolerationsWhitelist`]: JSON.stringify([{ key: 'a', operator: 'Exists' }]),
    }),
  };
  const tolerations = async (given: unknown) =>
    (
      (await admitted(podTolerationRestriction(undefined), { object: pod({ tolerations: given }) }, world)) as unknown as {
        spec: { tolerations: unknown };
      }
    ).spec.tolerations;
  assert.deepEqual(await tolerations(undefined), [{ key: 'a', operator: 'Exists' }]);
  assert.deepEqual(await tolerations([{ key: 'a', value: 'x' }]), [{ key: 'a', operator: 'Exists' }]);
  await assert.rejects(tolerations([{ key: 'b', operator: 'Exists' }]), /conflict with its namespace whitelist/);
});

test('EventRateLimit lets a burst through and then what the rate allows', async () => {
  const plugin = eventRateLimit({ limits: [{ type: 'Namespace', qps: 1, burst: 2 }] });
  const resource = events as unknown as Resource;
  const event = (now: number) => admitted(plugin, { resource, object: {} }, { now });
  await event(0);
  await event(0);
  await assert.rejects(event(0), (error: unknown) => error instanceof ApiError && error.code === 429);
  await event(1_000);
});

test('PodSecurity takes levels and exemptions from its configuration', async () => {
  const privileged = pod({ hostNetwork: true });
  const world = { objects: { namespaces: [{ metadata: { name: 'ns' } }] } };
  const defaults = { enforce: 'baseline', 'enforce-version': 'v1.30' };
  await refused(podSecurity({ defaults }), { object: privileged }, /violates PodSecurity "baseline:v1.30"/, world);
  await admitted(podSecurity({ defaults, exemptions: { namespaces: ['ns'] } }), { object: privileged }, world);
  await admitted(podSecurity({ defaults, exemptions: { usernames: ['me'] } }), { object: privileged }, world);
  await admitted(podSecurity(), { object: privileged }, world);
  assert.ok(namespaces.resource);
});

test('readAdmissionConfiguration() reads configurations inline and from files beside it', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'admission-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'admission.yaml');
  writeFileSync(join(folder, 'other.yaml'), 'limits: []\n');
  const head = 'apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n';
  writeFileSync(
    file,
    `${head}plugins:\n- name: PodSecurity\n  configuration: {defaults: {enforce: baseline}}\n- name: EventRateLimit\n  path: other.yaml\n`,
  );

  const found = readAdmissionConfiguration(file);

  assert.deepEqual(found.get('PodSecurity'), { defaults: { enforce: 'baseline' } });
  assert.deepEqual(found.get('EventRateLimit'), { limits: [] });
  writeFileSync(file, 'kind: Other\n');
  assert.throws(() => readAdmissionConfiguration(file), /want kind AdmissionConfiguration/);
});
