// SPDX-License-Identifier: Apache-2.0
// The yardstick: a `node:http2` TLS server that does nothing but answer bodies of given sizes, made once. Run as a process of its
// own: `node bench/bare-server.ts FOLDER OBJECT_BYTES LIST_BYTES`, with the key pair of the server it is compared with.
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

const [folder = '.', objectBytes = '1024', listBytes = '1048576'] = process.argv.slice(2);
const pki = (name: string) => readFileSync(join(folder, 'pki', name));
const object = Buffer.alloc(Number(objectBytes), 'x');
const list = Buffer.alloc(Number(listBytes), 'x');
const head = { ':status': 200, 'content-type': 'application/json', 'cache-control': 'no-cache, private' };

const server = createSecureServer({
  cert: pki('apiserver.crt'),
  key: pki('apiserver.key'),
  ca: pki('ca.crt'),
  requestCert: true,
  rejectUnauthorized: false,
  maxSessionMemory: 1000,
  settings: { maxConcurrentStreams: 1000, initialWindowSize: 1024 * 1024 },
});
server.on('stream', (stream, headers) => {
  stream.on('error', () => {}); // The client went away.
  const body = headers[':path'] === '/list' ? list : object;
  if (headers[':method'] === 'GET') {
    stream.respond(head);
    stream.end(body);
    return;
  }
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length;
  });
  stream.on('end', () => {
    stream.respond({ ...head, ':status': size > 0 ? 201 : 400 });
    stream.end(body);
  });
});
server.listen(0, '127.0.0.1', () => process.stderr.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`));
process.on('SIGTERM', () => process.exit(0));
