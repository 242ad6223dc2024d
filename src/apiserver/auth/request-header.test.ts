// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { createAuthority, createCertificate } from '#component/pki';
import type { Authenticator } from '../filters/authentication.ts';
import { type IncomingRequest, RequestContext } from '../request/context.ts';
import { requestInfoOf } from '../request/request-info.ts';
import { REFUSED_CERTIFICATE, userOfCertificate } from './authenticators.ts';
import { FrontProxies } from './request-header.ts';
import type { UserInfo } from './user.ts';

const HEADERS = {
  usernameHeaders: ['X-Remote-User'],
  uidHeaders: ['X-Remote-Uid'],
  groupHeaders: ['X-Remote-Group'],
  extraHeaderPrefixes: ['X-Remote-Extra-'],
};
const NOBODY: UserInfo = { name: 'nobody', uid: '', groups: [], extra: {} };

test('userOf() reads each header value by itself, so that a comma makes no group', () => {
  const proxies = new FrontProxies({ ...HEADERS, clientCa: '', allowedNames: [] }, undefined);
  const rawHeaders = ['X-Remote-User', 'ada', 'X-Remote-Group', 'a, system:masters', 'x-remote-group', 'b', 'X-Remote-Uid', '7'];
  const extra = ['X-Remote-Extra-acme.com%2fproject', 'p', 'X-Remote-Extra-scopes', 's'];

  const user = proxies.userOf({ headers: {}, rawHeaders: [...rawHeaders, ...extra] });

  assert.deepEqual(user, {
    name: 'ada',
    uid: '7',
    groups: ['a, system:masters', 'b', 'system:authenticated'],
    extra: { 'acme.com/project': ['p'], scopes: ['s'] },
  });
  assert.equal(proxies.userOf({ headers: {}, rawHeaders: ['X-Remote-Group', 'a'] }), undefined);
});

interface Shown {
  readonly common: string;
  readonly of: 'client' | 'front';
}

/** Who a connection with such a certificate is, asked with a header that names `ada`. */
async function asked(shown: Shown, allowedNames: readonly string[] = ['proxy']): Promise<string | undefined> {
  const now = Date.now();
  const authorities = { client: await createAuthority('client-ca', now), front: await createAuthority('front-ca', now) };
  const serving = await createCertificate(
    authorities.client,
    { commonName: 's', usages: ['server'], ipAddresses: ['127.0.0.1'], validDays: 1 },
    now,
  );
  const own = await createCertificate(authorities[shown.of], { commonName: shown.common, usages: ['client'], validDays: 1 }, now);
  const proxies = new FrontProxies({ ...HEADERS, clientCa: authorities.front.certificate, allowedNames }, authorities.client.certificate);
  const next: Authenticator = { identify: ({ request }) => request.connectionUser ?? NOBODY };
  const trusted = [authorities.client.certificate, authorities.front.certificate];
  const server = createServer({ cert: serving.certificate, key: serving.key, ca: trusted, requestCert: true, rejectUnauthorized: false });
  const found = new Promise<string | undefined>((resolve) => {
    server.on('secureConnection', async (socket: TLSSocket) => {
      const connectionUser = proxies.identify(socket, userOfCertificate(socket));
      const request = {
        method: 'GET',
        path: '/',
        search: '',
        headers: {},
        rawHeaders: ['X-Remote-User', 'ada'],
        connectionUser,
      } as unknown as IncomingRequest;
      const context = new RequestContext(request, requestInfoOf('GET', '/', undefined), new URLSearchParams(), now);
      resolve((await proxies.authenticate(next).identify(context))?.name);
      socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = connect({
    host: '127.0.0.1',
    port,
    ca: authorities.client.certificate,
    cert: own.certificate,
    key: own.key,
    servername: '',
  });
  client.on('error', () => undefined);
  try {
    return await found;
  } finally {
    client.destroy();
    server.close();
  }
}

test('a certificate names its user, by the last common name, and is named in turn', () => {
  const of = (subject: object) =>
    userOfCertificate({ authorized: true, getPeerCertificate: () => ({ subject, fingerprint256: 'AB:0C' }) } as unknown as TLSSocket);
  const extra = { 'authentication.kubernetes.io/credential-id': ['X509SHA256=ab0c'] };
  const uid = '1.3.6.1.4.1.57683.2';

  assert.deepEqual(of({ CN: 'ada', O: 'g' }), { name: 'ada', uid: '', groups: ['g', 'system:authenticated'], extra });
  assert.deepEqual(of({ CN: ['x', 'ada'], O: ['g', 'h'], [uid]: '7' }), {
    name: 'ada',
    uid: '7',
    groups: ['g', 'h', 'system:authenticated'],
    extra,
  });
  assert.equal(of({ CN: 'ada', [uid]: ['7', '8'] }), REFUSED_CERTIFICATE);
  assert.equal(of({ CN: 'ada', [uid]: '' }), REFUSED_CERTIFICATE);
  assert.equal(of({ O: 'g' }), undefined);
});

test('a resumed session, which knows no chain, is recognised by the signature', async () => {
  const now = Date.now();
  const [client, front] = [await createAuthority('client-ca', now), await createAuthority('front-ca', now)];
  const own = await createCertificate(client, { commonName: 'ada', usages: ['client'], validDays: 1 }, now);
  const proxies = new FrontProxies({ ...HEADERS, clientCa: front.certificate, allowedNames: [] }, client.certificate);
  const certificate = { raw: new X509Certificate(own.certificate).raw };
  const socket = { authorized: true, getPeerCertificate: () => certificate } as unknown as TLSSocket;
  const named = { ...NOBODY, name: 'ada' };

  assert.equal(proxies.identify(socket, named), named);
});

test('only a front proxy under an allowed name speaks for others, and its certificate is no user', async (t) => {
  const cases: readonly (readonly [string, Shown, readonly string[], string])[] = [
    ['a front proxy', { of: 'front', common: 'proxy' }, ['proxy'], 'ada'],
    ['any name where none is listed', { of: 'front', common: 'other' }, [], 'ada'],
    ['another name', { of: 'front', common: 'other' }, ['proxy'], REFUSED_CERTIFICATE.name],
    ['an ordinary client', { of: 'client', common: 'proxy' }, ['proxy'], 'proxy'],
  ];
  for (const [name, shown, allowed, expected] of cases) {
    await t.test(name, async () => assert.equal(await asked(shown, allowed), expected));
  }
});
