// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const OF = { group: 'certificates.k8s.io', version: 'v1', kind: 'CertificateSigningRequest' };
const request = Buffer.from('-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n').toString('base64');
const valid = {
  metadata: { name: 'Any name:1', resourceVersion: '1' },
  spec: { request, signerName: 'ex.io/s', usages: ['client auth'] },
  status: {},
};

describeCreate(OF, valid, {
  'asks for each usage once': [({ spec }) => spec.usages.push('client auth'), 'spec.usages[1]: Duplicate value: "client auth"'],
  'asks a signer with a domain': [
    ({ spec }) => (spec.signerName = 'local/s'),
    'spec.signerName: Invalid value: "local": should be a domain with at least two segments separated by dots',
  ],
});

const approved = { type: 'Approved', status: 'True' };
describeUpdate(OF, valid, {
  'does not decide by itself': [
    ({ status }) => (status.conditions = [approved]),
    'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
  ],
});
describeUpdate(
  OF,
  valid,
  {
    'decides once': [
      ({ status }) => (status.conditions = [approved, { type: 'Denied', status: 'True' }]),
      'status.conditions: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
    ],
    'does not sign': [
      ({ status }) => (status.certificate = request),
      'status.certificate: Invalid value: "<certificate data>": only CERTIFICATE PEM blocks are allowed, found "CERTIFICATE REQUEST"',
      'status.certificate: Forbidden: updates may not set certificate content',
    ],
  },
  'approval',
);
