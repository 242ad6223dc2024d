// SPDX-License-Identifier: Apache-2.0
// What is said of the certificates of a conversion webhook.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority } from '#component/pki';
import { FieldPath } from '#machinery';
import { conversionCauses } from './conversion-validation.ts';

const block = (label: string, body: string) => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

function problemOf(bundle: string): string | undefined {
  const clientConfig = { url: 'https://example.com', caBundle: Buffer.from(bundle).toString('base64') };
  const conversion = { strategy: 'Webhook' as const, webhook: { clientConfig, conversionReviewVersions: ['v1'] } };
  const [cause] = conversionCauses(conversion, new FieldPath('c'), { requireKnownReview: true, allowInvalidCaBundle: false });
  return cause?.message.replace(/^Invalid value: "[^"]*": /, '');
}

test('conversionCauses() says why a bundle of certificates cannot be read', async () => {
  const { certificate } = await createAuthority('a', Date.now());
  const start = 'unable to load root certificates: ';
  const rows: readonly (readonly [bundle: string, problem: string | undefined])[] = [
    [certificate, undefined],
    [block('CERTIFICATE', 'AAAA') + certificate, undefined],
    ['nothing', `${start}unable to parse bytes as PEM block`],
    [block('CERTIFICATE', 'AAAA'), `${start}failed to parse certificate: x509: malformed certificate`],
    [block('PRIVATE KEY', 'AAAA'), `${start}no valid certificate authority data seen`],
    [block('CERTIFICATE', 'Odd: header\n\nAAAA'), `${start}no valid certificate authority data seen`],
    [`${block('PRIVATE KEY', 'AAAA')}rest`, `${start}unable to parse bytes as PEM block`],
  ];

  for (const [bundle, problem] of rows) assert.equal(problemOf(bundle), problem);
});
