// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const metadata = { name: 'x', namespace: 'n', resourceVersion: '1' };
const SLICE = { group: 'discovery.k8s.io', version: 'v1', kind: 'EndpointSlice' };
const ENDPOINTS = { group: '', version: 'v1', kind: 'Endpoints' };
const slice = { metadata, addressType: 'FQDN', endpoints: [{ addresses: ['a.b.'] }], ports: [{ name: '', protocol: 'TCP', port: 80 }] };
const endpoints = { metadata, subsets: [{ addresses: [{ ip: '1.2.3.4' }], ports: [{ port: 80, protocol: 'TCP' }] }] };

describeCreate(SLICE, slice, {
  'is at domains with a dot': [
    ({ endpoints }) => (endpoints[0].addresses = ['', 'a', 'a.']),
    'endpoints[0].addresses[0]: Required value',
    'endpoints[0].addresses[1]: Invalid value: "a": should be a domain with at least two segments separated by dots',
    'endpoints[0].addresses[2]: Invalid value: "a": should be a domain with at least two segments separated by dots',
  ],
  'is at domains of short labels': [
    ({ endpoints }) => (endpoints[0].addresses = [`a.${'b'.repeat(64)}`]),
    'endpoints[0].addresses[0]: Invalid value: "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb": must be no more than 63 characters',
  ],
  'is at addresses': [
    (it) => Object.assign(it, { addressType: 'IPv4', endpoints: [{ addresses: ['1.2.3', '127.0.0.1'] }, { addresses: [] }] }),
    'endpoints[0].addresses[0]: Invalid value: "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    'endpoints[0].addresses[1]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    'endpoints[1].addresses: Required value: must contain at least 1 address',
  ],
  'names each port once': [({ ports }) => ports.push({ name: '', protocol: 'TCP', port: 81 }), 'ports[1].name: Duplicate value: ""'],
  'is of a known type': [(it) => (it.addressType = 'X'), 'addressType: Unsupported value: "X": supported values: "FQDN", "IPv4", "IPv6"'],
});

describeUpdate(SLICE, slice, {
  'keeps its type': [
    (it) => Object.assign(it, { addressType: 'IPv4', endpoints: [] }),
    'addressType: Invalid value: "IPv4": field is immutable',
  ],
});

describeCreate(ENDPOINTS, endpoints, {
  'has addresses': [
    ({ subsets }) => delete subsets[0].addresses,
    'subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`',
  ],
  'is at addresses of hosts': [
    ({ subsets }) => (subsets[0].addresses = [{ ip: '127.0.0.1' }, { ip: '224.0.0.1' }, { ip: 'x' }]),
    'subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    'subsets[0].addresses[1].ip: Invalid value: "224.0.0.1": may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)',
    'subsets[0].addresses[2].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    'subsets[0].addresses[2].ip: Invalid value: "x": must be a valid IP address',
  ],
  'is somewhere': [
    ({ subsets }) => (subsets[0].addresses = [{}]),
    'subsets[0].addresses[0].ip: Invalid value: "": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    'subsets[0].addresses[0].ip: Invalid value: "": must be a valid IP address',
  ],
  'names its ports where there are more': [
    ({ subsets }) => subsets[0].ports.push({ port: 0, protocol: 'X' }),
    'subsets[0].ports[0].name: Required value',
    'subsets[0].ports[1].name: Required value',
    'subsets[0].ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive',
    'subsets[0].ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
  ],
});
