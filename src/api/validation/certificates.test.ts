// SPDX-License-Identifier: Apache-2.0
import { describeCreate, describeUpdate } from './_cases.ts';

const OF = { group: 'certificates.k8s.io', version: 'v1', kind: 'CertificateSigningRequest' };
const block = (body: string) =>
  Buffer.from(`-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`).toString('base64');
/** Signed by its own key, on P-256. */
const SIGNED = [
  'MIHSMHoCAQAwGDEKMAgGA1UEAwwBYTEKMAgGA1UECgwBYjBZMBMGByqGSM49AgEG',
  'CCqGSM49AwEHA0IABHKKKuOdFEzHSutPGlRZbE0H1pYtLiwn/gLbdb6BC4DSIUPa',
  'iznpxIeZ3WdRQ6+4EM8DUD7yIbWy6Z0OznWq/gSgADAKBggqhkjOPQQDAgNIADBF',
  'AiA59V32c6HmKL4bt4Tm/L2KTK2wzOrHTSH+FNue1Eg0pgIhAPx5sAvQL/cIFZJK',
  'JB2QVXCQLAXiX5tCWreY427wNCKC',
].join('\n');
const request = block(SIGNED);
const changed = (at: number) => {
  const bytes = Buffer.from(SIGNED, 'base64');
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  return block(bytes.toString('base64'));
};
const valid = {
  metadata: { name: 'Any name:1', resourceVersion: '1' },
  spec: { request, signerName: 'ex.io/s', usages: ['client auth'] },
  status: {},
};

describeCreate(OF, valid, {
  'asks for each usage once': [({ spec }) => spec.usages.push('client auth'), 'spec.usages[1]: Duplicate value: "client auth"'],
  'carries a request': [
    ({ spec }) => (spec.request = 'YQ=='),
    'spec.request: Invalid value: "YQ==": PEM block type must be CERTIFICATE REQUEST',
  ],
  'carries a request of the right structure': [
    ({ spec }) => (spec.request = block('aGVsbG8gd29ybGQ=')),
    `spec.request: Invalid value: "${block('aGVsbG8gd29ybGQ=')}": asn1: structure error: tags don't match (16 vs {class:1 tag:8 length:101 isCompound:true}) {optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false} certificateRequest @2`,
  ],
  'carries a request that its key has signed': [
    ({ spec }) => (spec.request = changed(Buffer.from(SIGNED, 'base64').length - 3)),
    `spec.request: Invalid value: "${changed(Buffer.from(SIGNED, 'base64').length - 3)}": x509: ECDSA verification failure`,
  ],
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
