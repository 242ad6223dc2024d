// SPDX-License-Identifier: Apache-2.0
import { describeCreate } from './_cases.ts';

const POD = { group: '', version: 'v1', kind: 'Pod' };
const container = (name: string, more: object = {}) => ({
  name,
  image: 'i',
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'Always',
  ...more,
});
const valid = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'n' },
  spec: {
    containers: [container('a')],
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    serviceAccountName: 'default',
  },
};
const LABEL_RULE = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`;

describeCreate(POD, valid, {
  'needs a grace period': [({ spec }) => delete spec.terminationGracePeriodSeconds, 'spec.terminationGracePeriodSeconds: Required value'],
  'needs containers': [({ spec }) => delete spec.containers, 'spec.containers: Required value'],
  'names its containers with labels': [
    ({ spec }) => (spec.containers[0].name = 'A'),
    `spec.containers[0].name: Invalid value: "A": ${LABEL_RULE}`,
  ],
  'names each container once': [({ spec }) => spec.containers.push(container('a')), 'spec.containers[1].name: Duplicate value: "a"'],
  'does not pad the names of images': [
    ({ spec }) => (spec.containers[0].image = ' i'),
    'spec.containers[0].image: Invalid value: " i": must not have leading or trailing whitespace',
  ],
  'gives rules for restarts only with a policy': [
    ({ spec }) => (spec.containers[0].restartPolicyRules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [1] } }]),
    'spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used',
  ],
  'knows the actions and operators of restart rules': [
    ({ spec }) =>
      Object.assign(spec.containers[0], {
        restartPolicy: 'Never',
        restartPolicyRules: [{ action: 'Sleep', exitCodes: { operator: 'Is' } }, { action: 'Restart' }],
      }),
    'spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Sleep": supported values: "Restart", "RestartAllContainers"',
    'spec.containers[0].restartPolicyRules[0].exitCodes.operator: Unsupported value: "Is": supported values: "In", "NotIn"',
    'spec.containers[0].restartPolicyRules[1].exitCodes: Required value: must be specified',
  ],
  'does not restart for a resize where nothing restarts': [
    ({ spec }) => {
      spec.restartPolicy = 'Never';
      spec.containers[0].resizePolicy = [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }];
    },
    "spec.containers[0].resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'",
  ],
  'takes variables from exactly one place': [
    ({ spec }) =>
      (spec.containers[0].env = [
        { name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' }, configMapKeyRef: { name: 'c', key: 'k' } } },
      ]),
    'spec.containers[0].env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time',
  ],
  'reads files of variables from empty directories': [
    ({ spec }) => (spec.containers[0].env = [{ name: 'A', valueFrom: { fileKeyRef: { volumeName: 'v', path: '../x', key: 'k' } } }]),
    'spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Not found: "v"',
    `spec.containers[0].env[0].valueFrom.fileKeyRef.path: Invalid value: "../x": must not contain '..'`,
  ],
  'mounts nothing over a device': [
    ({ spec }) => {
      spec.volumes = [
        { name: 'v', persistentVolumeClaim: { claimName: 'c' } },
        { name: 'w', emptyDir: {} },
      ];
      spec.containers[0].volumeDevices = [{ name: 'v', devicePath: '/d' }];
      spec.containers[0].volumeMounts = [{ name: 'w', mountPath: '/d' }];
    },
    'spec.containers[0].volumeMounts[0].mountPath: Invalid value: "/d": must not already exist as a path in volumeDevices',
    'spec.containers[0].volumeDevices[0].devicePath: Invalid value: "/d": must not already exist as a path in volumeMounts',
  ],
  'does not find volumes with faults': [
    ({ spec }) => {
      spec.volumes = [{ name: 'v', hostPath: {} }];
      spec.containers[0].volumeMounts = [{ name: 'v', mountPath: '/d' }];
    },
    'spec.volumes[0].hostPath.path: Required value',
    'spec.containers[0].volumeMounts[0].name: Not found: "v"',
  ],
  'has one source per volume': [
    ({ spec }) => (spec.volumes = [{ name: 'v', emptyDir: {}, nfs: { server: 's', path: '/' } }]),
    'spec.volumes[0].nfs: Forbidden: may not specify more than 1 volume type',
  ],
  'projects no token without an account': [
    ({ spec }) => {
      delete spec.serviceAccountName;
      spec.volumes = [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 3600 } }] } }];
    },
    'spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set',
  ],
  'matches ports on the host network': [
    ({ spec }) => {
      spec.hostNetwork = true;
      spec.containers[0].ports = [{ containerPort: 80, hostPort: 81, protocol: 'TCP' }];
    },
    'spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true',
  ],
  'keeps probes off plain init containers': [
    ({ spec }) => (spec.initContainers = [container('b', { lifecycle: {} })]),
    'spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always',
  ],
  'claims devices by one name or another': [
    ({ spec }) => (spec.resourceClaims = [{ name: 'c' }]),
    'spec.resourceClaims[0]: Invalid value: {"Name":"c","ResourceClaimName":null,"ResourceClaimTemplateName":null}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
  ],
  'checks user names of Windows': [
    ({ spec }) => (spec.securityContext = { windowsOptions: { runAsUserName: 'a\\b\\c' } }),
    'spec.securityContext.windowsOptions.runAsUserName: Invalid value: "a\\\\b\\\\c": runAsUserName cannot contain more than one backslash',
  ],
  'sets each sysctl once': [
    ({ spec }) =>
      (spec.securityContext = {
        sysctls: [
          { name: 'a.b', value: '1' },
          { name: 'a.b', value: '2' },
        ],
      }),
    'spec.securityContext.sysctls[1].name: Duplicate value: "a.b"',
  ],
  'leaves to Windows what it has not': [
    ({ spec }) => {
      spec.os = { name: 'windows' };
      spec.hostPID = true;
      spec.containers[0].securityContext = { privileged: true };
    },
    'spec.hostPID: Forbidden: cannot be set for a windows pod',
    'spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod',
  ],
  'needs spread keys that the selector has not': [
    ({ spec }) =>
      (spec.topologySpreadConstraints = [
        {
          maxSkew: 1,
          topologyKey: 'z',
          whenUnsatisfiable: 'ScheduleAnyway',
          matchLabelKeys: ['a'],
          labelSelector: { matchLabels: { a: 'b' } },
        },
      ]),
    'spec.topologySpreadConstraints[0].matchLabelKeys[0]: Invalid value: "a": exists in both matchLabelKeys and labelSelector',
  ],
  'needs no value to tolerate existence': [
    ({ spec }) => (spec.tolerations = [{ key: 'k', operator: 'Exists', value: 'test' }]),
    `spec.tolerations[0].operator: Invalid value: "test": value must be empty when \`operator\` is 'Exists'`,
  ],
  'counts the cost of deletion': [
    ({ metadata }) => (metadata.annotations = { 'controller.kubernetes.io/pod-deletion-cost': '+5' }),
    'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+5": must be a 32bit integer',
  ],
  'has only whole huge pages': [
    ({ spec }) => (spec.containers[0].resources = { limits: { 'hugepages-2Mi': '2Mi' }, requests: { 'hugepages-2Mi': '2Mi' } }),
    'spec.containers[0].resources: Forbidden: HugePages require cpu or memory',
  ],
});
