// SPDX-License-Identifier: Apache-2.0
// A configuration that changes while the server runs: a good one is in force at once, a bad one is not and says why.
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Logger, silentLogger } from '#component';
import { Encryption } from './encryption.ts';

const configuration = (name: string) =>
  JSON.stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'EncryptionConfiguration',
    resources: [{ resources: ['secrets'], providers: [{ aescbc: { keys: [{ name, secret: Buffer.alloc(32, 1).toString('base64') }] } }] }],
  });

test('the file is read again when it is replaced', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'encryption-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'encryption.json');
  const replace = (text: string) => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  let told = Promise.withResolvers<string>();
  const logger: Logger = {
    ...silentLogger,
    info: (_fields, message) => told.resolve(message),
    error: (_fields, message) => told.resolve(message),
  };
  writeFileSync(file, configuration('one'));
  using encryption = new Encryption({ file, reload: true, logger });
  const secrets = encryption.of('', 'secrets');
  assert.equal(secrets?.writer, 'k8s:enc:aescbc:v1:one:');

  replace(configuration('two'));
  await told.promise;
  assert.deepEqual([secrets?.writer, encryption.problem], ['k8s:enc:aescbc:v1:two:', undefined]);
  told = Promise.withResolvers();
  replace('kind: Nothing');
  await told.promise;

  assert.equal(secrets?.writer, 'k8s:enc:aescbc:v1:two:');
  assert.match(encryption.problem ?? '', /EncryptionConfiguration/);
});
