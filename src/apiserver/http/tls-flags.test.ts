// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { FlagError, parseFlags } from '#component';
import { TLS_FLAGS, tlsOptionsFrom } from './tls-flags.ts';

const optionsFrom = (...args: string[]) => tlsOptionsFrom(parseFlags('kube-apiserver', args, TLS_FLAGS));

test('versions and suites are those that Node knows by other names', () => {
  const options = optionsFrom(
    '--tls-min-version=VersionTLS13',
    '--tls-cipher-suites=TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305',
  );

  assert.deepEqual(options, {
    minVersion: 'TLSv1.3',
    ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305',
  });
  createSecureContext(options);
  assert.deepEqual(optionsFrom(), {});
});

test('what is not known, or no longer safe to speak, is refused by name', () => {
  assert.throws(() => optionsFrom('--tls-min-version=VersionTLS10'), /unknown tls version "VersionTLS10"/);
  assert.throws(() => optionsFrom('--tls-cipher-suites=TLS_RSA_WITH_RC4_128_SHA'), FlagError);
});
