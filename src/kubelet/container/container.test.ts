// SPDX-License-Identifier: Apache-2.0
// The rules that turn a container of the API into one of the runtime.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { computeQos } from '../pod/pod.ts';
import { podOf, spec } from '../testing/objects.ts';
import { weightOf } from './cgroups.ts';
import { hostsFile, parseResolvConf, podDns, podHostname } from './dns.ts';
import { ConfigError, type EnvironmentSources, environmentOf, variablesOf } from './environment.ts';
import { expand } from './expansion.ts';
import { fieldValue, resourceValue } from './field-ref.ts';
import { cgroupParent, containerResources, podLimits, quotaOf, sharesOf } from './resources.ts';
import { securityOf } from './security.ts';

test('expand() replaces known names, keeps unknown ones and honours the escape', () => {
  const read = (name: string) => ({ A: '1', B: '$(A)' })[name];
  const table = [
    ['$(A)', '1'],
    ['x$(A)y$(A)', 'x1y1'],
    ['$(NO)', '$(NO)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(B)', '$(A)'],
    ['$(A', '$(A'],
    ['$', '$'],
    ['$A', '$A'],
  ];
  for (const [input, wanted] of table) assert.equal(expand(input ?? '', read), wanted, input);
});

test('expand() leaves text without a dollar alone and never fails', () => {
  fc.assert(fc.property(fc.string(), (text) => text.includes('$') || expand(text, () => 'x') === text));
  fc.assert(fc.property(fc.stringMatching(/^[$()A-C]*$/), (text) => typeof expand(text, (name) => name) === 'string'));
});

const SOURCES: EnvironmentSources = {
  configMap: async (_, name) => (name === 'c' ? ({ data: { key: 'value', other: '2' } } as never) : undefined),
  secret: async (_, name) => (name === 's' ? ({ data: { key: Buffer.from('hidden').toString('base64') } } as never) : undefined),
  services: () => [],
  allocatable: { cpu: '2', memory: '1000' },
};
const ADDRESSES = { podIps: ['10.0.0.1'], hostIps: ['192.168.0.1'] };

function environment(container: ReturnType<typeof spec>) {
  const pod = podOf({ containers: [container], nodeName: 'n', serviceAccountName: 'sa' }, { metadata: { labels: { a: 'b' } } });
  return environmentOf(pod, container as never, { sources: SOURCES, addresses: ADDRESSES }).then((list) =>
    Object.fromEntries(list.map(({ name, value }) => [name, value])),
  );
}

test('environmentOf() reads every source, later ones winning', async () => {
  const env = await environment(
    spec('web', {
      envFrom: [{ prefix: 'P_', configMapRef: { name: 'c' } }, { secretRef: { name: 's' } }],
      env: [
        { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a']" } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'SECRET', valueFrom: { secretKeyRef: { name: 's', key: 'key' } } },
        { name: 'ABSENT', valueFrom: { configMapKeyRef: { name: 'c', key: 'no', optional: true } } },
        { name: 'BOTH', value: '$(P_key)-$(IP)' },
        { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
      ],
    }),
  );

  assert.deepEqual(env, {
    P_key: 'value',
    P_other: '2',
    key: 'hidden',
    LABEL: 'b',
    IP: '10.0.0.1',
    SECRET: 'hidden',
    BOTH: 'value-10.0.0.1',
    CPU: '2000',
  });
});

test('environmentOf() refuses references that lead nowhere', async () => {
  const broken = [
    [{ configMapKeyRef: { name: 'c', key: 'no' } }, "couldn't find key no in ConfigMap default/c"],
    [{ configMapKeyRef: { name: 'x', key: 'no' } }, 'configmap "x" not found'],
    [{ secretKeyRef: { name: 'x', key: 'no' } }, 'secret "x" not found'],
  ] as const;
  for (const [valueFrom, message] of broken) {
    await assert.rejects(environment(spec('web', { env: [{ name: 'A', valueFrom }] })), new ConfigError(message));
  }
});

test('variablesOf() shows a service in both old forms', () => {
  const service = { metadata: { name: 'my-db' }, spec: { clusterIP: '10.0.0.2', ports: [{ name: 'sql', port: 5432 }] } };
  assert.deepEqual(
    variablesOf(service as never).map(({ name, value }) => `${name}=${value}`),
    [
      'MY_DB_SERVICE_HOST=10.0.0.2',
      'MY_DB_SERVICE_PORT=5432',
      'MY_DB_SERVICE_PORT_SQL=5432',
      'MY_DB_PORT=tcp://10.0.0.2:5432',
      'MY_DB_PORT_5432_TCP=tcp://10.0.0.2:5432',
      'MY_DB_PORT_5432_TCP_PROTO=tcp',
      'MY_DB_PORT_5432_TCP_PORT=5432',
      'MY_DB_PORT_5432_TCP_ADDR=10.0.0.2',
    ],
  );
  assert.deepEqual(variablesOf({ metadata: { name: 'h' }, spec: { clusterIP: 'None', ports: [{ port: 1 }] } } as never), []);
});

test('fieldValue() prints maps in order and refuses other paths', () => {
  const pod = podOf({ containers: [] }, { metadata: { labels: { b: '2', a: '"1"' } } });
  assert.equal(fieldValue(pod, 'metadata.labels', ADDRESSES), 'a="\\"1\\""\nb="2"');
  assert.throws(() => fieldValue(pod, 'spec.nothing', ADDRESSES), /unsupported fieldPath: spec.nothing/);
});

test('resourceValue() rounds up, divides, and falls back to what the node has', () => {
  const self = spec('web', { resources: { limits: { cpu: '250m', memory: '1Ki' }, requests: {} } }) as never;
  const pod = podOf({ containers: [self] });
  const read = (resource: string, divisor?: string) =>
    resourceValue(pod, { resource, ...(divisor === undefined ? {} : { divisor }) }, { self, allocatable: { cpu: '2' } });
  assert.deepEqual(
    [read('limits.cpu'), read('limits.cpu', '1m'), read('limits.memory'), read('limits.memory', '1Ki'), read('requests.cpu')],
    ['1', '250', '1024', '1', '0'],
  );
});

test('shares, quotas and weights are the kernel’s', () => {
  assert.deepEqual([sharesOf(0), sharesOf(500), sharesOf(10_000_000)], [2, 512, 262_144]);
  assert.deepEqual([quotaOf(0), quotaOf(1), quotaOf(500)], [undefined, 1000, 50_000]);
  assert.deepEqual([weightOf(2), weightOf(1024), weightOf(262_144)], [1, 39, 10_000]);
});

test('QoS decides the cgroup and the oom score', () => {
  const with_ = (resources: object) => podOf({ containers: [spec('web', { resources })] });
  const table = [
    [{}, 'BestEffort', 'kubepods/besteffort/podu', 1000],
    [{ requests: { memory: '500' } }, 'Burstable', 'kubepods/burstable/podu', 500],
    [{ limits: { cpu: '1', memory: '500' } }, 'Guaranteed', 'kubepods/podu', -997],
    [{ limits: { cpu: '1', memory: '500' }, requests: { cpu: '1', memory: '100' } }, 'Burstable', 'kubepods/burstable/podu', 900],
  ] as const;
  for (const [resources, qos, parent, score] of table) {
    const pod = with_(resources);
    assert.deepEqual(
      [computeQos(pod), cgroupParent(pod), containerResources(pod, pod.spec.containers[0] as never, 1000).oomScoreAdj],
      [qos, parent, score],
    );
  }
});

test('podLimits() counts sidecars with mains and takes the largest init step', () => {
  const limits = (memory: string) => ({ resources: { limits: { memory, cpu: '1' } } });
  const pod = podOf({
    initContainers: [spec('init', limits('1000')), spec('side', { ...limits('10'), restartPolicy: 'Always' })],
    containers: [spec('web', limits('100'))],
  });
  assert.deepEqual(podLimits(pod), { cpuShares: 2048, cpuQuotaUs: 200_000, memoryLimitBytes: 1000 });
});

test('securityOf() merges both contexts and enforces runAsNonRoot', () => {
  const facts = { seccompRoot: '/seccomp', imageUser: '' };
  const pod = (own: object, shared: object) => podOf({ containers: [spec('web', { securityContext: own })], securityContext: shared });
  const secure = (own: object, shared: object, imageUser = '') => {
    const of = pod(own, shared);
    return securityOf(of, of.spec.containers[0] as never, { ...facts, imageUser });
  };
  assert.deepEqual(secure({ runAsUser: 5 }, { runAsUser: 1, runAsGroup: 2, fsGroup: 3 }).user, { uid: 5, gid: 2 });
  assert.deepEqual(secure({}, { supplementalGroups: [7], fsGroup: 3 }).supplementalGroups, [7, 3]);
  assert.throws(() => secure({ runAsNonRoot: true }, {}), /container has runAsNonRoot and image will run as root/);
  assert.throws(() => secure({ runAsNonRoot: true }, {}, 'nginx'), /non-numeric user \(nginx\)/);
  assert.throws(() => secure({ runAsNonRoot: true, runAsUser: 0 }, {}), /runAsUser breaks non-root policy/);
  assert.equal(secure({ runAsNonRoot: true }, {}, '1000:1000').privileged, false);
  assert.throws(() => secure({ seccompProfile: { type: 'Localhost', localhostProfile: '../x' } }, {}), ConfigError);
});

test('podDns() follows the policy', () => {
  const settings = {
    clusterDns: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    hostResolvConf: 'nameserver 1.1.1.1\nsearch corp\noptions ndots:2\n',
  };
  const dns = (of: object) => podDns(podOf({ containers: [], ...of }), settings);
  assert.deepEqual(dns({}), {
    servers: ['10.96.0.10'],
    searches: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp'],
    options: ['ndots:5'],
  });
  assert.deepEqual(dns({ hostNetwork: true }).servers, ['1.1.1.1']);
  assert.deepEqual(dns({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }).servers, ['10.96.0.10']);
  assert.deepEqual(dns({ dnsPolicy: 'None', dnsConfig: { nameservers: ['9.9.9.9'], options: [{ name: 'ndots', value: '1' }] } }), {
    servers: ['9.9.9.9'],
    searches: [],
    options: ['ndots:1'],
  });
  fc.assert(fc.property(fc.string(), (text) => void parseResolvConf(text)));
});

test('podHostname() and hostsFile() name the pod', () => {
  const pod = podOf({ containers: [], hostname: 'h', subdomain: 's', hostAliases: [{ ip: '1.2.3.4', hostnames: ['x', 'y'] }] });
  const name = podHostname(pod, 'cluster.local');
  assert.deepEqual(name, { hostname: 'h', fqdn: 'h.s.default.svc.cluster.local' });
  const text = hostsFile(pod, ['10.0.0.1'], name, '');
  assert.match(text, /^# Kubernetes-managed hosts file\.\n127\.0\.0\.1\tlocalhost\n/);
  assert.match(text, /\n10\.0\.0\.1\th\.s\.default\.svc\.cluster\.local\th\n\n# Entries added by HostAliases\.\n1\.2\.3\.4\tx\ty\n$/);
  assert.throws(
    () => podHostname(podOf({ containers: [], hostname: 'h'.repeat(60), subdomain: 's', setHostnameAsFQDN: true }), 'cluster.local'),
    /is too long \(64 characters is the max/,
  );
});
