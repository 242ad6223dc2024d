// SPDX-License-Identifier: Apache-2.0
// Credentials through the whole chain: which count, which are as none, and which are refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startTestServer, type TestServer } from '../_test-server.ts';
import { REFUSED_CERTIFICATE, readStaticTokens } from './authenticators.ts';
import type { UserInfo } from './user.ts';

const ANN: UserInfo = { name: 'ann', uid: '', groups: ['system:authenticated'], extra: {} };
let server: TestServer;
before(async () => {
  server = await startTestServer({ staticTokens: new Map([['good', ANN]]) });
});
after(() => server[Symbol.asyncDispose]());

const encoded = (token: string | Uint8Array) => `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`;
const socket = (...protocols: string[]) => ({
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-protocol': protocols.join(', '),
});
const header = (authorization: string) => ({ authorization });
const nobody = 'system:anonymous';

const cases: readonly (readonly [string, Readonly<Record<string, string>>, UserInfo | undefined, string | undefined])[] = [
  ['nothing', {}, undefined, nobody],
  ['a token', header('Bearer good'), undefined, 'ann'],
  ['a token in another spelling', header('  bEARER good more'), undefined, 'ann'],
  ['a token after two spaces', header('Bearer  good'), undefined, nobody],
  ['no token', header('Bearer '), undefined, nobody],
  ['another scheme', header('Basic good'), undefined, nobody],
  ['a wrong token', header('Bearer bad'), undefined, undefined],
  ['a token as a subprotocol', socket('v5.channel.k8s.io', encoded('good')), undefined, 'ann'],
  ['a wrong one as a subprotocol', socket(encoded('bad')), undefined, undefined],
  ['two subprotocols', socket(encoded('good'), encoded('good')), undefined, undefined],
  ['a subprotocol that is no base64', socket('base64url.bearer.authorization.k8s.io.!'), undefined, undefined],
  ['a subprotocol that is no text', socket(encoded(new Uint8Array([0xff, 0xfe]))), undefined, undefined],
  ['a subprotocol without a WebSocket', { 'sec-websocket-protocol': encoded('bad') }, undefined, nobody],
  ['a certificate that proves nothing', {}, REFUSED_CERTIFICATE, undefined],
  ['such a certificate and a token', header('Bearer good'), REFUSED_CERTIFICATE, 'ann'],
];
for (const [what, headers, user, expected] of cases) {
  test(`who shows ${what} is ${expected ?? 'refused'}`, async () => {
    const { status, body, text } = await server.send('GET', '/api/v1/namespaces', { headers, user });

    assert.equal(status, expected === undefined ? 401 : 403, text);
    if (expected !== undefined) assert.ok(body.message.includes(`User "${expected}" cannot list`), body.message);
  });
}

test('readStaticTokens() reads a user from each line that has a token', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tokens-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'tokens.csv');
  const authenticated = 'system:authenticated';
  writeFileSync(file, 't1,ann,u1\nt2,"bob, jr","",g\r\nt3,eve,u3,"a,b","more ""text"""\n,nobody,u4\nt5,,u5,\n');

  const users = [...readStaticTokens(file)].map(([token, { name, uid, groups }]) => [token, name, uid, groups]);
  assert.deepEqual(users, [
    ['t1', 'ann', 'u1', [authenticated]],
    ['t2', 'bob, jr', '', ['g', authenticated]],
    ['t3', 'eve', 'u3', ['a', 'b', authenticated]],
    ['t5', '', 'u5', [authenticated]],
  ]);
  writeFileSync(file, 't1,ann\n');
  assert.throws(() => readStaticTokens(file), {
    message: `token file '${file}' must have at least 3 columns (token, user name, user uid), found 2`,
  });
});
