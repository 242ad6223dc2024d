// SPDX-License-Identifier: Apache-2.0
// A small HTTPS server for tests, with an authority and certificate of its own.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAuthority, createCertificate } from '#component/pki';

export interface TestHttpsServer extends AsyncDisposable {
  readonly server: Server;
  readonly port: number;
  /** PEM in base64, as `caBundle` wants it. */
  readonly caBundle: string;
}

export interface TestHttpsOptions {
  readonly dnsNames: readonly string[];
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** Asks for client certificates of this authority, PEM. */
  readonly clientCa?: string;
}

export async function startHttpsServer({ dnsNames, handle, clientCa }: TestHttpsOptions): Promise<TestHttpsServer> {
  const now = Date.now();
  const authority = await createAuthority('extension-authority', now);
  const certificate = await createCertificate(
    authority,
    { commonName: 'extension', usages: ['server'], dnsNames: [...dnsNames], ipAddresses: ['127.0.0.1'], validDays: 1 },
    now,
  );
  const tls = { cert: certificate.certificate, key: certificate.key };
  const client = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false };
  const server = createServer({ ...tls, ...client }, handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server,
    port: (server.address() as AddressInfo).port,
    caBundle: Buffer.from(authority.certificate).toString('base64'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
