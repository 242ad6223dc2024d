// SPDX-License-Identifier: Apache-2.0
// What kubelets may write beside Pods and tokens: signing requests, leases, slices, claims.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificatesigningrequests, findResource, persistentvolumeclaims } from '#api';
import type { Resource } from '#machinery';
import { admitted, type Given, refused } from './_test-plugins.ts';
import { nodeRestriction } from './node-restriction.ts';

const user = { name: 'system:node:n', uid: '', groups: ['system:nodes'], extra: {} };
const of = (resource: unknown) => resource as Resource;

/** DER of a PKCS#10 request as far as its subject, which is one common name. */
function requestOf(commonName: string): string {
  const tlv = (tag: number, ...content: readonly Buffer[]) => {
    const body = Buffer.concat(content);
    return Buffer.concat([Buffer.from([tag, body.length]), body]);
  };
  const attribute = tlv(0x30, Buffer.from('0603550403', 'hex'), tlv(0x0c, Buffer.from(commonName)));
  const der = tlv(0x30, tlv(0x30, tlv(0x02, Buffer.from([0])), tlv(0x30, tlv(0x31, attribute))));
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  return Buffer.from(pem).toString('base64');
}

const signing = (signerName: string, request: string): Given => ({
  resource: of(certificatesigningrequests),
  object: { spec: { signerName, request } },
});
const lease = (namespace: string, name: string): Given => ({
  resource: of(findResource('coordination.k8s.io', 'v1', 'leases')),
  object: { metadata: { name, namespace } },
});
const slices = of(findResource('resource.k8s.io', 'v1', 'resourceslices'));
const slice = (nodeName: string | undefined) => ({ metadata: { name: 's' }, spec: { driver: 'd', nodeName } });
const claim = (storage: string, phase: string) => ({
  spec: { resources: { requests: { storage } } },
  status: { phase, capacity: { storage } },
});

const SERVING = 'kubernetes.io/kubelet-serving';
const CLIENT = 'kubernetes.io/kube-apiserver-client-kubelet';
const REFUSED: readonly (readonly [string, Given, string])[] = [
  ['a user without a node', { user: { ...user, name: 'system:node:' } }, 'could not determine node from user "system:node:"'],
  ['a serving certificate of another', signing(SERVING, requestOf('system:node:m')), 'can only create a node CSR with CN=system:node:n'],
  ['a client certificate of another', signing(CLIENT, requestOf('ann')), 'can only create a node CSR with CN=system:node:n'],
  ['what is no signing request', signing(CLIENT, 'YQ=='), 'unable to parse csr: PEM block type must be CERTIFICATE REQUEST'],
  [
    'a slice for another node',
    { resource: slices, object: slice('m') },
    'can only create ResourceSlice with the same NodeName as the requesting node',
  ],
  [
    'a slice for no node',
    { resource: slices, object: slice(undefined) },
    'can only create ResourceSlice with the same NodeName as the requesting node',
  ],
  [
    'deleting a slice of another node',
    { resource: slices, operation: 'DELETE', oldObject: slice('m') },
    'can only delete ResourceSlice with the same NodeName as the requesting node',
  ],
  [
    'a claim whose phase changes',
    {
      resource: of(persistentvolumeclaims),
      subresource: 'status',
      operation: 'UPDATE',
      object: claim('1Gi', 'Lost'),
      oldObject: claim('1Gi', 'Bound'),
    },
    'is not allowed to update fields other than status.quantity and status.conditions',
  ],
];
for (const [what, given, why] of REFUSED) {
  test(`NodeRestriction refuses ${what}`, () =>
    refused(nodeRestriction, { user, ...given }, new RegExp(why.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))));
}

const ADMITTED: readonly (readonly [string, Given])[] = [
  ['certificates of the node', signing(SERVING, requestOf('system:node:n'))],
  ['requests to other signers', signing('example.com/x', 'YQ==')],
  ['slices of the node', { resource: slices, object: slice('n') }],
  ['updates of slices, which authorizers judge', { resource: slices, operation: 'UPDATE', object: slice('m'), oldObject: slice('m') }],
  [
    'a claim that grew',
    {
      resource: of(persistentvolumeclaims),
      subresource: 'status',
      operation: 'UPDATE',
      object: claim('2Gi', 'Bound'),
      oldObject: { ...claim('2Gi', 'Bound'), status: { phase: 'Bound', capacity: { storage: '1Gi' } } },
    },
  ],
];
for (const [what, given] of ADMITTED) {
  test(`NodeRestriction admits ${what}`, async () => assert.notEqual(await admitted(nodeRestriction, { user, ...given }), null));
}

test('NodeRestriction leaves other users alone, and wants leases among those of nodes', async () => {
  await admitted(nodeRestriction, signing(SERVING, requestOf('system:node:m')));
  await refused(nodeRestriction, { user, ...lease('ns', 'n') }, /can only access leases in the "kube-node-lease" system namespace/);
});
