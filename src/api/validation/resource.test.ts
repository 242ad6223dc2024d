// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const group = 'resource.k8s.io';
const metadata = { name: 'x', namespace: 'n', resourceVersion: '1' };
const claim = {
  metadata,
  spec: { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c', allocationMode: 'ExactCount', count: 1 } }] } },
};
const CLAIM = { group, version: 'v1', kind: 'ResourceClaim' };

describeCreate(CLAIM, claim, {
  'asks for something': [
    ({ spec }) => delete spec.devices.requests[0].exactly,
    'spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required',
  ],
  'counts what it asks for': [
    ({ spec }) => (spec.devices.requests[0].exactly.count = 0),
    'spec.devices.requests[0].exactly.count: Invalid value: 0: must be greater than zero',
  ],
  'constrains requests that there are': [
    ({ spec }) => (spec.devices.constraints = [{ requests: ['q'], matchAttribute: 'ex.io/a' }]),
    `spec.devices.constraints[0].requests[0]: Invalid value: "q": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'`,
  ],
  'configures a driver': [
    ({ spec }) => (spec.devices.config = [{ opaque: { driver: 'ex.io' } }]),
    'spec.devices.config[0].opaque.parameters: Required value',
  ],
});
describeUpdate(
  CLAIM,
  claim,
  {
    'is reserved when allocated': [
      (object) => (object.status = { reservedFor: [{ resource: 'pods', name: 'p', uid: 'u' }] }),
      'status.reservedFor: Forbidden: may not be specified when `allocated` is not set',
    ],
  },
  'status',
);

describeCreate(
  { group, version: 'v1', kind: 'ResourceSlice' },
  {
    metadata: { name: 's' },
    spec: { driver: 'ex.io', nodeName: 'n', pool: { name: 'p', generation: 1, resourceSliceCount: 1 }, devices: [{ name: 'd' }] },
  },
  {
    'is for some nodes in one way': [
      ({ spec }) => (spec.allNodes = true),
      'spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set',
    ],
    'gives each attribute one value': [
      ({ spec }) => (spec.devices[0].attributes = { a: {}, b: { version: '1' } }),
      'spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified',
      'spec.devices[0].attributes[b].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0',
    ],
  },
);
