// SPDX-License-Identifier: Apache-2.0
// Conformance: the "should support … API operations", "should run through the lifecycle of …" and "should list and delete a collection
// of …" behaviours, which all ask the same of a resource: discovery, every verb, its status, watches that see each change.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { at, Requests, type WatchEvent } from './_conformance.ts';
import { ControlPlane } from './control-plane.ts';

interface Lifecycle {
  /** As the conformance list has it. */
  readonly behaviour: string;
  readonly group?: string;
  readonly version?: string;
  readonly resource: string;
  readonly kind: string;
  readonly cluster?: true;
  /** All but metadata. */
  readonly body: object;
  /** Merged over `body`, by PUT. */
  readonly update?: object;
  /** Of the status, by merge patch; conditions are added by update. */
  readonly status?: object;
  /** Its status endpoint changes nothing of the metadata. */
  readonly keepsMetadata?: true;
  /** @default DNS label */
  readonly name?: (index: number) => string;
}

const podSpec = { containers: [{ name: 'c', image: 'registry.k8s.io/pause:3.10' }], terminationGracePeriodSeconds: 0 };
const template = { metadata: { labels: { app: 'x' } }, spec: podSpec };
const workload = { replicas: 0, selector: { matchLabels: { app: 'x' } }, template };
const jobTemplate = { spec: { template: { spec: { ...podSpec, restartPolicy: 'OnFailure' } } } };
const condition = {
  type: 'StatusUpdate',
  status: 'True',
  reason: 'E2E',
  message: 'Set from e2e test',
  lastTransitionTime: '2026-01-01T00:00:00Z',
};
const conditions = [condition];
const webhook = {
  name: 'x.k8s.io',
  clientConfig: { url: 'https://localhost:1/x' },
  rules: [{ apiGroups: ['x.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['xs'] }],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};
const matchConstraints = {
  resourceRules: [{ apiGroups: ['x.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['xs'] }],
};
const device = { name: 'x', exactly: { deviceClassName: 'x' } };
const capacity = { storage: '1Gi' };

const LIFECYCLES: readonly Lifecycle[] = [
  {
    behaviour: 'API priority and fairness should support FlowSchema API operations',
    group: 'flowcontrol.apiserver.k8s.io',
    resource: 'flowschemas',
    kind: 'FlowSchema',
    cluster: true,
    body: {
      spec: {
        matchingPrecedence: 10000,
        priorityLevelConfiguration: { name: 'global-default' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'example-e2e-non-existent-user' } }],
            nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          },
        ],
      },
    },
    keepsMetadata: true,
    status: { conditions },
  },
  {
    behaviour: 'API priority and fairness should support PriorityLevelConfiguration API operations',
    group: 'flowcontrol.apiserver.k8s.io',
    resource: 'prioritylevelconfigurations',
    kind: 'PriorityLevelConfiguration',
    cluster: true,
    body: { spec: { type: 'Limited', limited: { nominalConcurrencyShares: 2, limitResponse: { type: 'Reject' } } } },
    keepsMetadata: true,
    status: { conditions },
  },
  {
    behaviour: 'MutatingAdmissionPolicy should support MutatingAdmissionPolicy API operations',
    group: 'admissionregistration.k8s.io',
    resource: 'mutatingadmissionpolicies',
    kind: 'MutatingAdmissionPolicy',
    cluster: true,
    body: {
      spec: {
        failurePolicy: 'Ignore',
        reinvocationPolicy: 'Never',
        matchConstraints,
        mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: 'Object{}' } }],
      },
    },
  },
  {
    behaviour: 'MutatingAdmissionPolicy should support MutatingAdmissionPolicyBinding API operations',
    group: 'admissionregistration.k8s.io',
    resource: 'mutatingadmissionpolicybindings',
    kind: 'MutatingAdmissionPolicyBinding',
    cluster: true,
    body: { spec: { policyName: 'nope' } },
  },
  {
    behaviour: 'ValidatingAdmissionPolicy should support ValidatingAdmissionPolicy API operations',
    group: 'admissionregistration.k8s.io',
    resource: 'validatingadmissionpolicies',
    kind: 'ValidatingAdmissionPolicy',
    cluster: true,
    body: { spec: { failurePolicy: 'Ignore', matchConstraints, validations: [{ expression: 'true' }] } },
    keepsMetadata: true,
    status: { conditions },
  },
  {
    behaviour: 'ValidatingAdmissionPolicy should support ValidatingAdmissionPolicyBinding API operations',
    group: 'admissionregistration.k8s.io',
    resource: 'validatingadmissionpolicybindings',
    kind: 'ValidatingAdmissionPolicyBinding',
    cluster: true,
    body: { spec: { policyName: 'nope', validationActions: ['Deny'] } },
  },
  {
    behaviour: 'AdmissionWebhook listing mutating webhooks should work',
    group: 'admissionregistration.k8s.io',
    resource: 'mutatingwebhookconfigurations',
    kind: 'MutatingWebhookConfiguration',
    cluster: true,
    body: { webhooks: [webhook] },
  },
  {
    behaviour: 'AdmissionWebhook listing validating webhooks should work',
    group: 'admissionregistration.k8s.io',
    resource: 'validatingwebhookconfigurations',
    kind: 'ValidatingWebhookConfiguration',
    cluster: true,
    body: { webhooks: [webhook] },
  },
  {
    behaviour: 'ControllerRevision should manage the lifecycle of a ControllerRevision',
    group: 'apps',
    resource: 'controllerrevisions',
    kind: 'ControllerRevision',
    body: { revision: 1, data: { a: 1 } },
    update: { revision: 2 },
  },
  {
    behaviour: 'CronJob should support CronJob API operations',
    group: 'batch',
    resource: 'cronjobs',
    kind: 'CronJob',
    body: { spec: { schedule: '0 0 1 1 *', jobTemplate } },
    update: { spec: { schedule: '0 0 2 1 *', jobTemplate } },
    status: { lastScheduleTime: '2026-01-01T00:00:00Z' },
  },
  {
    behaviour: 'DaemonSet should list and delete a collection of DaemonSets; should verify changes to a daemon set status',
    group: 'apps',
    resource: 'daemonsets',
    kind: 'DaemonSet',
    body: { spec: { selector: workload.selector, template } },
    status: { conditions },
  },
  {
    behaviour: 'Deployment should validate Deployment Status endpoints; should run the lifecycle of a Deployment',
    group: 'apps',
    resource: 'deployments',
    kind: 'Deployment',
    body: { spec: workload },
    status: { conditions },
  },
  {
    behaviour: 'ReplicaSet should validate Replicaset Status endpoints; should list and delete a collection of ReplicaSets',
    group: 'apps',
    resource: 'replicasets',
    kind: 'ReplicaSet',
    body: { spec: workload },
    status: { conditions },
  },
  {
    behaviour: 'StatefulSet should list, patch and delete a collection of StatefulSets; should validate Statefulset Status endpoints',
    group: 'apps',
    resource: 'statefulsets',
    kind: 'StatefulSet',
    body: { spec: { ...workload, serviceName: 'x' } },
    status: { conditions },
  },
  {
    behaviour: 'ReplicationController should test the lifecycle of a ReplicationController',
    resource: 'replicationcontrollers',
    kind: 'ReplicationController',
    body: { spec: { replicas: 0, selector: { app: 'x' }, template } },
    status: { conditions },
  },
  {
    behaviour: 'Job should manage the lifecycle of a job; should apply changes to a job status',
    group: 'batch',
    resource: 'jobs',
    kind: 'Job',
    body: { spec: { suspend: true, parallelism: 1, ...jobTemplate.spec } },
    status: { conditions },
  },
  {
    behaviour: 'DisruptionController should update/patch PodDisruptionBudget status; list and delete a collection of PodDisruptionBudgets',
    group: 'policy',
    resource: 'poddisruptionbudgets',
    kind: 'PodDisruptionBudget',
    body: { spec: { minAvailable: 1, selector: { matchLabels: { app: 'none' } } } },
    update: { spec: { minAvailable: 2, selector: { matchLabels: { app: 'none' } } } },
    status: { disruptedPods: { x: '2026-01-01T00:00:00Z' }, observedGeneration: 100 },
  },
  {
    behaviour: 'ServiceAccounts should run through the lifecycle of a ServiceAccount',
    resource: 'serviceaccounts',
    kind: 'ServiceAccount',
    body: {},
    update: { automountServiceAccountToken: false },
  },
  {
    behaviour: 'Certificates API should support CSR API operations',
    group: 'certificates.k8s.io',
    resource: 'certificatesigningrequests',
    kind: 'CertificateSigningRequest',
    cluster: true,
    body: {
      spec: {
        request: Buffer.from(
          `-----BEGIN CERTIFICATE REQUEST-----
MIHSMHoCAQAwGDEKMAgGA1UEAwwBYTEKMAgGA1UECgwBYjBZMBMGByqGSM49AgEG
CCqGSM49AwEHA0IABHKKKuOdFEzHSutPGlRZbE0H1pYtLiwn/gLbdb6BC4DSIUPa
iznpxIeZ3WdRQ6+4EM8DUD7yIbWy6Z0OznWq/gSgADAKBggqhkjOPQQDAgNIADBF
AiA59V32c6HmKL4bt4Tm/L2KTK2wzOrHTSH+FNue1Eg0pgIhAPx5sAvQL/cIFZJK
JB2QVXCQLAXiX5tCWreY427wNCKC
-----END CERTIFICATE REQUEST-----
`,
        ).toString('base64'),
        signerName: 'example.com/e2e',
        usages: ['digital signature', 'key encipherment', 'server auth'],
        expirationSeconds: 3600,
      },
    },
    status: { conditions: [{ ...condition, lastUpdateTime: condition.lastTransitionTime }] },
  },
  {
    behaviour: 'Events should manage the lifecycle of an event; should delete a collection of events',
    resource: 'events',
    kind: 'Event',
    body: {
      involvedObject: { namespace: 'lifecycles' },
      message: 'This is a test event',
      reason: 'Test',
      type: 'Normal',
      source: { component: 'x' },
    },
    update: { message: 'This is a test event - patched' },
  },
  {
    behaviour: 'Events API should ensure that an event can be fetched, patched, deleted, and listed',
    group: 'events.k8s.io',
    resource: 'events',
    kind: 'Event',
    body: {
      eventTime: '2026-01-01T00:00:00.123456Z',
      regarding: { namespace: 'lifecycles' },
      note: 'This is a test event',
      reason: 'Test',
      action: 'Do',
      type: 'Normal',
      reportingController: 'test-controller',
      reportingInstance: 'test-node',
    },
    update: { series: { count: 100, lastObservedTime: '2026-01-01T00:00:00.123456Z' } },
  },
  {
    behaviour: 'EndpointSlice should support creating EndpointSlice API operations',
    group: 'discovery.k8s.io',
    resource: 'endpointslices',
    kind: 'EndpointSlice',
    body: { addressType: 'IPv4', endpoints: [{ addresses: ['1.2.3.4', '5.6.7.8'] }], ports: [{ name: 'http', port: 80 }] },
    update: { endpoints: [{ addresses: ['1.2.3.5'] }] },
  },
  {
    behaviour: 'Endpoints should test the lifecycle of an Endpoint',
    resource: 'endpoints',
    kind: 'Endpoints',
    body: { subsets: [{ addresses: [{ ip: '10.0.0.24' }], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] }] },
    update: { subsets: [{ addresses: [{ ip: '10.0.0.25' }], ports: [{ name: 'http-test', port: 8080, protocol: 'TCP' }] }] },
  },
  {
    behaviour: 'Ingress API should support creating Ingress API operations',
    group: 'networking.k8s.io',
    resource: 'ingresses',
    kind: 'Ingress',
    body: { spec: { defaultBackend: { service: { name: 'default-backend', port: { number: 80 } } } } },
    status: { loadBalancer: { ingress: [{ ip: '169.1.1.1' }] } },
  },
  {
    behaviour: 'IngressClass API should support creating IngressClass API operations',
    group: 'networking.k8s.io',
    resource: 'ingressclasses',
    kind: 'IngressClass',
    cluster: true,
    body: { spec: { controller: 'example.com/controller' } },
  },
  {
    behaviour: 'ServiceCIDR and IPAddress API should support IPAddress API operations',
    group: 'networking.k8s.io',
    resource: 'ipaddresses',
    kind: 'IPAddress',
    cluster: true,
    body: { spec: { parentRef: { group: '', resource: 'services', name: 'x', namespace: 'lifecycles' } } },
    name: (index) => `192.168.77.${index + 1}`,
  },
  {
    behaviour: 'ServiceCIDR and IPAddress API should support ServiceCIDR API operations',
    group: 'networking.k8s.io',
    resource: 'servicecidrs',
    kind: 'ServiceCIDR',
    cluster: true,
    body: { spec: { cidrs: ['10.196.196.0/24'] } },
    status: { conditions },
    keepsMetadata: true,
  },
  {
    behaviour: 'Services should complete a service status lifecycle; should delete a collection of services',
    resource: 'services',
    kind: 'Service',
    body: { spec: { type: 'LoadBalancer', ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 80 }] } },
    status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } },
  },
  {
    behaviour: 'ConfigMap should run through a ConfigMap lifecycle',
    resource: 'configmaps',
    kind: 'ConfigMap',
    body: { data: { valueName: 'value' } },
    update: { data: { valueName: 'value1' } },
  },
  {
    behaviour: 'Secrets should patch a secret',
    resource: 'secrets',
    kind: 'Secret',
    body: { data: { key: 'dmFsdWU=' } },
    update: { data: { key: 'dmFsdWUx' } },
  },
  {
    behaviour: 'Lease lease API should be available',
    group: 'coordination.k8s.io',
    resource: 'leases',
    kind: 'Lease',
    body: { spec: { holderIdentity: 'holder', leaseDurationSeconds: 30, leaseTransitions: 0, acquireTime: '2026-01-01T00:00:00.000000Z' } },
    update: { spec: { holderIdentity: 'holder2', leaseDurationSeconds: 60, leaseTransitions: 1 } },
  },
  {
    behaviour:
      'PodTemplates should run the lifecycle of PodTemplates; should replace a pod template; should delete a collection of pod templates',
    resource: 'podtemplates',
    kind: 'PodTemplate',
    body: { template },
  },
  {
    behaviour: 'RuntimeClass should support RuntimeClasses API operations',
    group: 'node.k8s.io',
    resource: 'runtimeclasses',
    kind: 'RuntimeClass',
    cluster: true,
    body: { handler: 'example-handler' },
  },
  {
    behaviour: '[DRA] CRUD Tests resource.k8s.io/v1 DeviceClass',
    group: 'resource.k8s.io',
    resource: 'deviceclasses',
    kind: 'DeviceClass',
    cluster: true,
    body: { spec: {} },
    update: { spec: { selectors: [{ cel: { expression: "device.driver == 'x.example'" } }] } },
  },
  {
    behaviour: '[DRA] CRUD Tests resource.k8s.io/v1 ResourceClaim',
    group: 'resource.k8s.io',
    resource: 'resourceclaims',
    kind: 'ResourceClaim',
    body: { spec: { devices: { requests: [device] } } },
    status: { allocation: { devices: { results: [{ request: 'x', driver: 'x.example', pool: 'p', device: 'd' }] } } },
    keepsMetadata: true,
  },
  {
    behaviour: '[DRA] CRUD Tests resource.k8s.io/v1 ResourceClaimTemplate',
    group: 'resource.k8s.io',
    resource: 'resourceclaimtemplates',
    kind: 'ResourceClaimTemplate',
    body: { spec: { spec: { devices: { requests: [device] } } } },
  },
  {
    behaviour: '[DRA] CRUD Tests resource.k8s.io/v1 ResourceSlice',
    group: 'resource.k8s.io',
    resource: 'resourceslices',
    kind: 'ResourceSlice',
    cluster: true,
    body: {
      spec: { driver: 'x.example', nodeName: 'n', pool: { name: 'p', generation: 1, resourceSliceCount: 1 }, devices: [{ name: 'd' }] },
    },
  },
  {
    behaviour: 'LimitRange should list, patch and delete a LimitRange by collection',
    resource: 'limitranges',
    kind: 'LimitRange',
    body: { spec: { limits: [{ type: 'Container', max: { cpu: '500m', memory: '512Mi' } }] } },
    update: { spec: { limits: [{ type: 'Container', max: { cpu: '600m', memory: '512Mi' } }] } },
  },
  {
    behaviour: 'ResourceQuota should manage the lifecycle of a ResourceQuota; should apply changes to a resourcequota status',
    resource: 'resourcequotas',
    kind: 'ResourceQuota',
    body: { spec: { hard: { cpu: '500m', 'count/pods': '5' } } },
    update: { spec: { hard: { cpu: '1', 'count/pods': '5' } } },
    status: { hard: { memory: '500Mi' } },
  },
  {
    behaviour: 'SchedulerPreemption PriorityClass endpoints can be operated with different HTTP methods',
    group: 'scheduling.k8s.io',
    resource: 'priorityclasses',
    kind: 'PriorityClass',
    cluster: true,
    body: { value: 1000 },
    update: { description: 'updated' },
  },
  {
    behaviour: 'CSIInlineVolumes should run through the lifecycle of a CSIDriver',
    group: 'storage.k8s.io',
    resource: 'csidrivers',
    kind: 'CSIDriver',
    cluster: true,
    body: { spec: { attachRequired: false, podInfoOnMount: true, volumeLifecycleModes: ['Ephemeral'] } },
    name: (index) => `inline-driver-${index}.csi.k8s.io`,
  },
  {
    behaviour: 'CSINodes CSI Conformance should run through the lifecycle of a csinode',
    group: 'storage.k8s.io',
    resource: 'csinodes',
    kind: 'CSINode',
    cluster: true,
    body: { spec: { drivers: [{ name: 'x.csi.k8s.io', nodeID: 'node', topologyKeys: ['a'] }] } },
  },
  {
    behaviour: 'CSIStorageCapacity should support CSIStorageCapacities API operations',
    group: 'storage.k8s.io',
    resource: 'csistoragecapacities',
    kind: 'CSIStorageCapacity',
    body: { storageClassName: 'sc', capacity: '10Gi' },
    update: { capacity: '20Gi' },
  },
  {
    behaviour: 'StorageClasses CSI Conformance should run through the lifecycle of a StorageClass',
    group: 'storage.k8s.io',
    resource: 'storageclasses',
    kind: 'StorageClass',
    cluster: true,
    body: { provisioner: 'e2e-fake-provisioner' },
  },
  {
    behaviour:
      'VolumeAttachment Conformance should run through the lifecycle of a VolumeAttachment; apply changes to a volumeattachment status',
    group: 'storage.k8s.io',
    resource: 'volumeattachments',
    kind: 'VolumeAttachment',
    cluster: true,
    body: { spec: { attacher: 'x.csi.k8s.io', nodeName: 'n', source: { persistentVolumeName: 'pv' } } },
    status: { attached: true },
    keepsMetadata: true,
  },
  {
    behaviour: 'VolumeAttributesClass should run through the lifecycle of a VolumeAttributesClass',
    group: 'storage.k8s.io',
    resource: 'volumeattributesclasses',
    kind: 'VolumeAttributesClass',
    cluster: true,
    body: { driverName: 'e2e-fake-csi-driver', parameters: { a: 'b' } },
  },
  {
    behaviour:
      'PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC; apply changes to a pv/pvc status (PV)',
    resource: 'persistentvolumes',
    kind: 'PersistentVolume',
    cluster: true,
    body: {
      spec: { capacity, accessModes: ['ReadWriteOnce'], csi: { driver: 'x.csi.k8s.io', volumeHandle: 'h' }, storageClassName: 'sc' },
    },
    status: { phase: 'Pending', message: 'Set from e2e test' },
  },
  {
    behaviour:
      'PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC; apply changes to a pv/pvc status (PVC)',
    resource: 'persistentvolumeclaims',
    kind: 'PersistentVolumeClaim',
    body: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: capacity }, storageClassName: 'sc' } },
    status: { conditions: [{ ...condition, lastProbeTime: condition.lastTransitionTime }] },
  },
];

const isLabelled = (label: string) => (events: readonly WatchEvent[]) =>
  events.some(({ object }) => at(object, `metadata.labels.${label}`) !== undefined);

describe('conformance: lifecycles of API objects', { timeout: 120_000 }, () => {
  let plane: ControlPlane;
  let api: Requests;
  before(async () => {
    plane = await ControlPlane.start({ controllers: true });
    api = new Requests(plane);
    await api.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'lifecycles' } });
  });
  after(() => plane?.[Symbol.asyncDispose]());

  for (const item of LIFECYCLES) {
    const { behaviour, group = '', version = 'v1', resource, kind, cluster = false, body, update = {}, status, keepsMetadata } = item;
    const apiVersion = group === '' ? version : `${group}/${version}`;
    const root = group === '' ? `/api/${version}` : `/apis/${apiVersion}`;
    const collection = `${root}${cluster ? '' : '/namespaces/lifecycles'}/${resource}`;
    const nameOf = item.name ?? ((index: number) => `e2e-${resource.slice(0, 20)}-${index}`);
    const set = `e2e=${resource}`;
    const draft = (index: number) => ({ apiVersion, kind, metadata: { name: nameOf(index), labels: { e2e: resource } }, ...body });

    test(behaviour, async () => {
      const discovered = at<{ name: string; verbs: string[] }[]>(await api.get(root), 'resources') ?? [];
      const verbs = discovered.find(({ name }) => name === resource)?.verbs;
      assert.deepEqual(verbs, ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']);
      if (status !== undefined) assert.ok(discovered.some(({ name }) => name === `${resource}/status`));

      for (const index of [0, 1, 2]) await api.post(collection, draft(index));
      const path = `${collection}/${nameOf(0)}`;
      const read = await api.get(path);
      assert.equal(at(read, 'metadata.name'), nameOf(0));
      const listed = await api.get(`${collection}?labelSelector=${set}`);
      assert.equal(at(listed, 'items.length'), 3);
      assert.equal(at(await api.get(`${root}/${resource}?labelSelector=${set}`), 'items.length'), 3, 'in all namespaces');

      const from = `${collection}?labelSelector=${set}&resourceVersion=${at(listed, 'metadata.resourceVersion')}`;
      const watched = api.watch(from, (events) => events.filter(({ type }) => type === 'DELETED').length === 3);
      await api.patch(path, 'merge', { metadata: { labels: { patched: 'true' } } });
      const updated = await api.update(path, (object) => ({
        ...object,
        ...update,
        metadata: { ...(object['metadata'] as object), annotations: { updated: 'true' } },
      }));
      assert.equal(at(updated, 'metadata.labels.patched'), 'true');
      assert.equal(at(updated, 'metadata.annotations.updated'), 'true');
      for (const [key, value] of Object.entries(update)) assert.deepEqual(pruned(updated[key], value), value);
      if (status !== undefined) {
        assert.equal(at(await api.get(`${path}/status`), 'kind'), kind);
        const patched = await api.patch(`${path}/status`, 'merge', { metadata: { annotations: { patchedstatus: 'true' } }, status });
        assert.deepEqual(pruned(patched['status'], status), status);
        assert.equal(at(patched, 'metadata.annotations.patchedstatus'), keepsMetadata ? undefined : 'true');
        await api.update(
          path,
          (object) => ({ ...object, metadata: { ...(object['metadata'] as object), annotations: { a: 'b' } } }),
          '/status',
        );
      }

      await api.delete(`${collection}/${nameOf(2)}`);
      await api.delete(`${collection}?labelSelector=${set}`);
      const events = await watched;
      assert.ok(isLabelled('patched')(events));
      assert.equal((await api.send('GET', path)).code, 404);
    });
  }
});

/** `object` with only the keys that `like` has. */
function pruned(object: unknown, like: unknown): unknown {
  if (Array.isArray(like)) return like.map((value, index) => pruned(at(object, String(index)), value));
  if (typeof like !== 'object' || like === null) return object;
  return Object.fromEntries(
    Object.entries(like).map(([key, value]) => [key, pruned((object as Record<string, unknown> | undefined)?.[key], value)]),
  );
}
