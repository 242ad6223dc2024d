// SPDX-License-Identifier: Apache-2.0
// A webhook inside a test: HTTPS on loopback with a certificate of its own, answering with what the test says.
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createAuthority, createCertificate } from '#component/pki';

export interface Received {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // biome-ignore lint/suspicious/noExplicitAny: whatever was sent, looked into by tests.
  readonly body: any;
  /** Common name of the client certificate, where one was shown. */
  readonly clientName: string | undefined;
}

export type Reply = unknown | { readonly status: number; readonly text: string };

export interface TestWebhook extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  /** PEM in base64, as `caBundle` wants it. */
  readonly caBundle: string;
  readonly received: Received[];
  /** Connections there were. */
  readonly connections: () => number;
}

export interface TestWebhookOptions {
  readonly dnsNames?: readonly string[];
  /** The answer; an object with `status` and `text` is sent as it is, a promise that never settles hangs. */
  readonly reply: (request: Received) => Reply | Promise<Reply>;
  /** Asks for client certificates of this authority, PEM. */
  readonly clientCa?: string;
}

export async function startTestWebhook({ dnsNames = ['localhost'], reply, clientCa }: TestWebhookOptions): Promise<TestWebhook> {
  const now = Date.now();
  const authority = await createAuthority('webhook-authority', now);
  const certificate = await createCertificate(
    authority,
    { commonName: 'webhook', usages: ['server'], dnsNames: [...dnsNames], ipAddresses: ['127.0.0.1'], validDays: 1 },
    now,
  );
  const received: Received[] = [];
  let connections = 0;
  const server: Server = createServer(
    {
      cert: certificate.certificate,
      key: certificate.key,
      ...(clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: false }),
    },
    async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const subject = (request.socket as TLSSocket).getPeerCertificate().subject as { CN?: string } | undefined;
      const text = Buffer.concat(chunks).toString();
      const one = {
        path: request.url ?? '',
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
        clientName: subject?.CN,
      };
      received.push(one);
      const answer = await reply(one);
      const raw = answer as { status?: number; text?: string };
      const isRaw = typeof raw?.status === 'number' && typeof raw.text === 'string';
      response.writeHead(isRaw ? (raw.status ?? 200) : 200, { 'content-type': 'application/json' });
      response.end(isRaw ? raw.text : JSON.stringify(answer));
    },
  );
  server.on('secureConnection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `https://127.0.0.1:${port}/hook`,
    caBundle: Buffer.from(authority.certificate).toString('base64'),
    received,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
