// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { createAuthority, createCertificate } from './certificates.ts';

const NOW = Date.now();

test('createCertificate() is signed by its authority and names subject, usages and addresses', async () => {
  const authority = await createAuthority('kubernetes', NOW);
  const made = await createCertificate(
    authority,
    {
      commonName: 'system:node:n1',
      organizations: ['system:nodes'],
      usages: ['client', 'server'],
      dnsNames: ['n1'],
      ipAddresses: ['10.0.0.1'],
      validDays: 365,
    },
    NOW,
  );

  const certificate = new X509Certificate(made.certificate);
  const ca = new X509Certificate(authority.certificate);
  assert.ok(certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
  assert.match(certificate.subject, /O=system:nodes\nCN=system:node:n1/);
  assert.equal(certificate.subjectAltName, 'DNS:n1, IP Address:10.0.0.1');
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1']);
  assert.ok(ca.ca && !certificate.ca);
  assert.ok(certificate.validFromDate.getTime() <= NOW && certificate.validToDate.getTime() > NOW + 364 * 86_400_000);
});
