// SPDX-License-Identifier: Apache-2.0
// Credentials through the whole chain: which count, which are as none, and which are refused.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestServer, type TestServer } from '../_test-server.ts';
import { REFUSED_CERTIFICATE } from './authenticators.ts';
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
