// SPDX-License-Identifier: Apache-2.0
// Keys, forms and rules of encryption at rest; a server that stores secrets by one key and reads them by several.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { MemoryStore, type Store } from '#store';
import { startTestServer } from '../_test-server.ts';
import { covers, EncryptionConfigurationError, parseEncryptionConfiguration } from './configuration.ts';
import { PrefixTransformers } from './prefix-transformers.ts';
import { aesCbc, aesGcm, identity, secretBox } from './transformer.ts';

const KEY = Buffer.alloc(32, 7);
const OTHER = Buffer.alloc(32, 8);

for (const make of [aesCbc, aesGcm, secretBox]) {
  test(`${make.name} gives back what it sealed, and never by another key`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (plain) => {
        const sealed = make('k', KEY).seal(plain, '/registry/secrets/a/b');
        assert.deepEqual(Buffer.from(make('k', KEY).open(sealed, '/registry/secrets/a/b')), Buffer.from(plain));
        // CBC has no tag: another key gives an error or something else.
        try {
          assert.notDeepEqual(Buffer.from(make('k', OTHER).open(sealed, '/registry/secrets/a/b')), Buffer.from([...plain, 0]));
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      }),
      { numRuns: 50 },
    );
  });

  test(`${make.name} refuses bytes that it did not make, and throws nothing but errors`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 31 }), (bytes) => {
        if (make === aesCbc) return;
        assert.throws(() => make('k', KEY).open(bytes, 'x'), Error);
      }),
    );
  });
}

test('a value sealed under one storage key does not open under another: aesgcm', () => {
  const sealed = aesGcm('k', KEY).seal(Buffer.from('x'), '/registry/secrets/a/b');

  assert.throws(() => aesGcm('k', KEY).open(sealed, '/registry/secrets/a/c'), /message authentication failed/);
});

test('the first key writes, all read, and the seal tells by which it was', () => {
  const old = new PrefixTransformers([aesCbc('key1', KEY), identity]);
  const rotated = new PrefixTransformers([secretBox('key2', OTHER), aesCbc('key1', KEY), identity]);
  const sealed = old.seal(Buffer.from('{}'), 'k');

  assert.equal(Buffer.from(sealed.subarray(0, 23)).toString(), 'k8s:enc:aescbc:v1:key1:');
  assert.deepEqual([rotated.open(sealed, 'k').seal, rotated.writer], ['k8s:enc:aescbc:v1:key1:', 'k8s:enc:secretbox:v1:key2:']);
  assert.equal(rotated.open(Buffer.from('{}'), 'k').seal, '');
  assert.throws(() => new PrefixTransformers([secretBox('key2', OTHER)]).open(sealed, 'k'), /^Error: no matching prefix found$/);
  assert.throws(() => new PrefixTransformers([identity]).open(sealed, 'k'), /identity transformer tried to read encrypted data/);
});

for (const [rule, resource, expected] of [
  ['secrets', 'secrets', true],
  ['secrets', 'secrets.example.com', false],
  ['*.', 'secrets', true],
  ['*.', 'deployments.apps', false],
  ['*.apps', 'deployments.apps', true],
  ['*.apps', 'x.sub.apps', false],
  ['*.*', 'anything.at.all', true],
] as const) {
  test(`the rule ${rule} ${expected ? 'covers' : 'does not cover'} ${resource}`, () => assert.equal(covers(rule, resource), expected));
}

const configuration = (...entries: object[]) =>
  JSON.stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'EncryptionConfiguration', resources: entries });
const keys = (name: string, key: Buffer) => ({ keys: [{ name, secret: key.toString('base64') }] });

describe('a configuration that cannot be used is refused', () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    ['kind: Pod', /want an object of kind "EncryptionConfiguration"/],
    [configuration({ resources: ['secrets'], providers: [{ kms: { name: 'x' } }] }), /the provider kms is not implemented/],
    [configuration({ resources: 'secrets', providers: [{ identity: {} }] }), /a field is not of the type that it must have/],
    [
      configuration({ resources: ['*.*'], providers: [{ identity: {} }] }, { resources: ['secrets'], providers: [{ identity: {} }] }),
      /^EncryptionConfigurationError: resource "secrets" is masked by earlier rule "\*\.\*"$|^Error: resource "secrets" is masked by earlier rule "\*\.\*"$/,
    ],
    [
      configuration({ resources: ['*.'], providers: [{ identity: {} }] }, { resources: ['pods'], providers: [{ identity: {} }] }),
      /resource "pods" is masked by earlier rule "\*\."$/,
    ],
  ];
  for (const [text, why] of refusals) test(`${why}`, () => assert.throws(() => parseEncryptionConfiguration(text), why));

  test('whatever its entries are', () => {
    fc.assert(
      fc.property(fc.json(), (entries) => {
        const text = `{"apiVersion":"apiserver.config.k8s.io/v1","kind":"EncryptionConfiguration","resources":[${entries}]}`;
        assert.throws(() => parseEncryptionConfiguration(text), EncryptionConfigurationError);
      }),
    );
  });

  test('whatever it says', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        assert.throws(() => parseEncryptionConfiguration(text), EncryptionConfigurationError);
      }),
    );
  });
});

async function serve(t: TestContext, store: Store, text: string) {
  const folder = mkdtempSync(join(tmpdir(), 'encryption-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'encryption.json');
  writeFileSync(file, text);
  return startTestServer({ store, encryption: { file, reload: false } });
}

const SECRETS = '/api/v1/namespaces/default/secrets';
const STORED = '/registry/secrets/default/s';
const prefixAt = async (store: Store) =>
  Buffer.from((await store.find(STORED))?.value ?? [])
    .toString('latin1')
    .slice(0, 30);

test('a secret is stored by the first key; after a rotation it is read, and an update that changes nothing brings it under the new one', async (t) => {
  const store = new MemoryStore();
  {
    await using api = await serve(
      t,
      store,
      configuration({ resources: ['secrets'], providers: [{ aescbc: keys('one', KEY) }, { identity: {} }] }),
    );
    await api.send('POST', SECRETS, { body: { metadata: { name: 's' }, stringData: { k: 'v' } } });
    assert.match(await prefixAt(store), /^k8s:enc:aescbc:v1:one:/);
    assert.match(Buffer.from((await store.find('/registry/namespaces/default'))?.value ?? []).toString(), /^\{/);
  }
  await using api = await serve(
    t,
    store,
    configuration({ resources: ['secrets'], providers: [{ secretbox: keys('two', OTHER) }, { aescbc: keys('one', KEY) }] }),
  );
  const { body } = await api.send('GET', `${SECRETS}/s`);
  assert.equal(body.data.k, 'dg==');
  const updated = await api.send('PUT', `${SECRETS}/s`, { body });

  assert.equal(updated.status, 200);
  assert.notEqual(updated.body.metadata.resourceVersion, body.metadata.resourceVersion);
  assert.match(await prefixAt(store), /^k8s:enc:secretbox:v1:two:/);
  const again = await api.send('PUT', `${SECRETS}/s`, { body: updated.body });
  assert.equal(again.body.metadata.resourceVersion, updated.body.metadata.resourceVersion);
});

test('a secret that no key reads makes the requests fail that would show it, and no others', async (t) => {
  const store = new MemoryStore();
  {
    await using api = await serve(t, store, configuration({ resources: ['secrets'], providers: [{ aesgcm: keys('one', KEY) }] }));
    await api.send('POST', SECRETS, { body: { metadata: { name: 's' } } });
  }
  await using api = await serve(
    t,
    store,
    configuration({ resources: ['secrets'], providers: [{ aesgcm: keys('two', OTHER) }, { identity: {} }] }),
  );

  const one = await api.send('GET', `${SECRETS}/s`);
  const all = await api.send('GET', '/api/v1/secrets');
  const other = await api.send('GET', '/api/v1/namespaces/kube-system/secrets');

  assert.deepEqual([one.status, one.body.reason], [500, 'InternalError']);
  assert.equal(one.body.message, 'Internal error occurred: identity transformer tried to read encrypted data');
  assert.equal(all.status, 500);
  assert.match(all.body.message, /^Internal error occurred: unable to transform key /);
  assert.equal(other.status, 200);
});
