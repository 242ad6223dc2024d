// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clientConfigOf, formatKubeconfig, KubeconfigError, parseKubeconfig, singleContextKubeconfig } from './kubeconfig.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('a written kubeconfig reads back as the same connection', () => {
  const user = { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') };
  const config = singleContextKubeconfig({ clusterName: 'c', userName: 'u', server: 'https://h:6443', ca: 'CA', user, namespace: 'n' });

  const client = clientConfigOf(parseKubeconfig(formatKubeconfig(config)));

  assert.deepEqual(client, { server: 'https://h:6443', ca: 'CA', cert: 'CERT', key: 'KEY', namespace: 'n' });
});

const file = (user: string, cluster = '') => `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://h"${cluster}}}]
users: [{name: u, user: {${user}}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x`;

test('files are relative to the kubeconfig, and tokens and impersonation are read', () => {
  const text = file('tokenFile: t, client-certificate: /abs/c, client-key: k, as: joe, as-groups: [g]', ', certificate-authority: ca');

  assert.deepEqual(clientConfigOf(parseKubeconfig(text), 'x', '/dir'), {
    server: 'https://h',
    caFile: '/dir/ca',
    certFile: '/abs/c',
    keyFile: '/dir/k',
    tokenFile: '/dir/t',
    impersonate: { user: 'joe', uid: undefined, groups: ['g'], extra: undefined },
  });
});

const refused: readonly (readonly [string, string, RegExp])[] = [
  ['an exec plugin', file('exec: {command: aws}'), /user "u": "exec" is not supported/],
  ['a password', file('username: a, password: b'), /"username" is not supported/],
  ['a proxy', file('', ', proxy-url: "http://p"'), /proxy-url is not supported/],
  ['no context', 'kind: Config', /no current-context/],
  ['a missing context', 'kind: Config\ncurrent-context: y', /context "y" does not exist/],
  ['another kind', 'kind: Pod', /kind is "Pod"/],
  ['broken YAML', '{', /parse kubeconfig/],
];
for (const [what, text, message] of refused) {
  test(`a kubeconfig with ${what} is refused`, () => {
    assert.throws(
      () => clientConfigOf(parseKubeconfig(text)),
      (error) => error instanceof KubeconfigError && message.test(error.message),
    );
  });
}

test('parseKubeconfig() of anything gives a config or a KubeconfigError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      try {
        parseKubeconfig(text);
      } catch (error) {
        assert.ok(error instanceof KubeconfigError, String(error));
      }
    }),
    { numRuns: 300 },
  );
});
