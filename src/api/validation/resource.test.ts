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
  'names attributes with a domain': [
    ({ spec }) => (spec.devices.constraints = [{ matchAttribute: 'a' }, { matchAttribute: '/' }]),
    'spec.devices.constraints[0].matchAttribute: Invalid value: "a": a fully qualified name must be a domain and a name separated by a slash',
    'spec.devices.constraints[1].matchAttribute: Invalid value: "": the domain must not be empty',
    'spec.devices.constraints[1].matchAttribute: Invalid value: "": the name must not be empty',
  ],
  'has no more requests than fit': [
    ({ spec }) => (spec.devices.requests = Array.from({ length: 33 }, () => ({ name: 'Bad' }))),
    'spec.devices.requests: Too many: 33: must have at most 32 items',
  ],
  'names each request once': [
    ({ spec }) => spec.devices.requests.push({ name: 'r' }),
    'spec.devices.requests[1]: Required value: exactly one of `exactly` or `firstAvailable` is required',
    'spec.devices.requests[1]: Duplicate value: "r"',
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
    'gets devices for its requests': [
      (object) =>
        (object.status = {
          allocation: {
            devices: {
              results: [{ request: 'q', driver: 'ex.io', pool: 'p', device: 'D', shareID: 'x' }],
              config: [{ source: 'FromAir' }],
            },
          },
        }),
      `status.allocation.devices.results[0].request: Invalid value: "q": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'`,
      `status.allocation.devices.results[0].device: Invalid value: "D": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
      'status.allocation.devices.results[0].shareID: Invalid value: "x": must be a lowercase UUID in 8-4-4-4-12 format',
      'status.allocation.devices.config[0].source: Unsupported value: "FromAir": supported values: "FromClaim", "FromClass"',
      'status.allocation.devices.config[0].opaque: Required value',
    ],
    'tells of devices that it got': [
      (object) =>
        (object.status = { devices: [{ driver: 'ex.io', pool: 'p', device: 'd', data: [], networkData: { ips: ['10.0.0.1'] } }] }),
      'status.devices[0]: Invalid value: {"Driver":"ex.io","Pool":"p","Device":"d","ShareID":""}: must be an allocated device in the claim',
      'status.devices[0].data: Invalid value: "<value omitted>": must be a valid JSON object',
      'status.devices[0].networkData.ips[0]: Invalid value: "10.0.0.1": must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)',
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
    'names its facts': [
      ({ spec }) => (spec.devices[0].capacity = { '9': { value: '1' } }),
      `spec.devices[0].capacity[9]: Invalid value: "9": a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')`,
    ],
    'gives parts only of what is shared': [
      ({ spec }) => (spec.devices[0].capacity = { a: { value: '10', requestPolicy: { default: '1', validRange: { min: '1' } } } }),
      'spec.devices[0].capacity[a].requestPolicy: Forbidden: allowMultipleAllocations must be true',
    ],
    'gives parts by steps that fit': [
      ({ spec }) =>
        Object.assign(spec.devices[0], {
          allowMultipleAllocations: true,
          capacity: {
            a: { value: '10', requestPolicy: { default: '2', validRange: { min: '1', max: '12', step: '3' } } },
            b: { value: '4', requestPolicy: { default: '3', validValues: ['2', '1', '5'] } },
          },
        }),
      'spec.devices[0].capacity[a].requestPolicy.validRange.max: Invalid value: "12": max is larger than capacity value: 10',
      'spec.devices[0].capacity[a].requestPolicy.validRange.step: Invalid value: "2": value is not a multiple of a given step (3) from (1)',
      'spec.devices[0].capacity[a].requestPolicy.validRange.step: Invalid value: "12": value is not a multiple of a given step (3) from (1)',
      'spec.devices[0].capacity[b].requestPolicy.validValues[1]: Invalid value: "1": values must be sorted in ascending order',
      'spec.devices[0].capacity[b].requestPolicy.validValues[2]: Invalid value: "5": option is larger than capacity value: 4',
      'spec.devices[0].capacity[b].requestPolicy.validValues: Invalid value: "3": default value is not valid according to the requestPolicy',
    ],
    'counts what devices share': [
      ({ spec }) =>
        Object.assign(spec, {
          devices: undefined,
          sharedCounters: [
            { name: 'a', counters: {} },
            { name: 'a', counters: { B: {} } },
          ],
        }),
      'spec.sharedCounters[0].counters: Required value',
      `spec.sharedCounters[1].counters[B]: Invalid value: "B": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
      'spec.sharedCounters[1]: Duplicate value: "a"',
    ],
    'binds and fails to bind by conditions': [
      ({ spec }) => (spec.devices[0].bindingConditions = ['ex.io/a', 'ex.io/a']),
      'spec.devices[0].bindingConditions[1]: Duplicate value: "ex.io/a"',
      'spec.devices[0].bindingFailureConditions: Invalid value: null: bindingFailureConditions are required to use bindingConditions',
    ],
    'gives each attribute one value': [
      ({ spec }) => (spec.devices[0].attributes = { a: {}, b: { version: '1' } }),
      'spec.devices[0].attributes[a]: Invalid value: "": exactly one value must be specified',
      'spec.devices[0].attributes[b].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0',
    ],
  },
);
