// SPDX-License-Identifier: Apache-2.0
// Exec and port-forward over SPDY and WebSocket, both ends in this process.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Duplex, duplexPair, PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import fc from 'fast-check';
import { createWebSocketStream, WebSocket } from 'ws';
import {
  acceptWebSocket,
  PORT_FORWARD_TUNNEL_PROTOCOL,
  type RemoteProcess,
  remoteCommandOptions,
  SpdyConnection,
  servePortForward,
  servePortForwardTunnel,
  serveSpdyCommand,
  serveWebSocketCommand,
} from './mod.ts';
import { parseSize } from './remote-command.ts';

/** Echoes its input and ends with `exitCode`. */
function echo(exitCode: number, sizes: string[] = []): RemoteProcess {
  const pipe = new PassThrough();
  const { promise, resolve } = Promise.withResolvers<number>();
  pipe.once('end', () => resolve(exitCode));
  return {
    stdin: pipe,
    stdout: pipe,
    stderr: Readable.from(['oops']),
    resize: (w, h) => void sizes.push(`${w}x${h}`),
    exit: promise,
    close: () => pipe.destroy(),
  };
}

const OPTIONS = { stdin: true, stdout: true, stderr: true, tty: false };

test('a command over SPDY has its streams and ends with the exit code in a Status', async () => {
  const [left, right] = duplexPair();
  const served = serveSpdyCommand(left, OPTIONS, async () => echo(3));
  const client = new SpdyConnection(right, { role: 'client' });
  const [error, stdin, stdout, stderr] = await Promise.all(
    ['error', 'stdin', 'stdout', 'stderr'].map((streamtype) => client.open({ streamtype })),
  );
  stdin?.io.end('hello');

  const [out, err, status] = await Promise.all([text(stdout?.io as Duplex), text(stderr?.io as Duplex), text(error?.io as Duplex)]);

  assert.deepEqual([out, err], ['hello', 'oops']);
  assert.deepEqual(JSON.parse(status).details, { causes: [{ reason: 'ExitCode', message: '3' }] });
  client.destroy();
  await served;
});

test('a command that cannot start is told as a Status', async () => {
  const [left, right] = duplexPair();
  const served = serveSpdyCommand(left, { ...OPTIONS, stdin: false, stderr: false }, async () => {
    throw new Error('no such container');
  });
  const client = new SpdyConnection(right, { role: 'client' });
  const [error] = await Promise.all(['error', 'stdout'].map((streamtype) => client.open({ streamtype })));
  assert.equal(JSON.parse(await text(error?.io as Duplex)).message, 'no such container');
  client.destroy();
  await served;
});

test('port-forward ties stream pairs to connections and tells a failure on the error stream', async () => {
  const [left, right] = duplexPair();
  const served = servePortForward(left, async (port) => {
    if (port === 81) throw new Error('connection refused');
    return new PassThrough();
  });
  const client = new SpdyConnection(right, { role: 'client' });
  const open = (port: string, requestid: string) =>
    Promise.all(['error', 'data'].map((streamtype) => client.open({ streamtype, port, requestid })));

  const [, data] = await open('80', '0');
  data?.io.end('ping');
  assert.equal(await text(data?.io as Duplex), 'ping');
  const [failed] = await open('81', '1');
  assert.match(await text(failed?.io as Duplex), /an error occurred forwarding 81: connection refused/);
  client.destroy();
  await served;
});

async function webSocketPair(
  protocol: string,
  serve: (socket: WebSocket) => Promise<void>,
): Promise<{ socket: WebSocket; close(): Promise<void> }> {
  const server = createServer();
  server.on('upgrade', (request, socket, head) => void acceptWebSocket(request, socket, head, protocol).then(serve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, [protocol]);
  return {
    socket,
    async close() {
      socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a command over WebSocket v5: input, its end, sizes, output and status by channel', async () => {
  const sizes: string[] = [];
  const pair = await webSocketPair('v5.channel.k8s.io', (socket) =>
    serveWebSocketCommand(socket, { ...OPTIONS, tty: true, stderr: false, protocol: 'v5.channel.k8s.io' }, async () => echo(0, sizes)),
  );
  const seen = new Map<number, string>();
  pair.socket.on('message', (data: Buffer) => seen.set(data[0] ?? 0, (seen.get(data[0] ?? 0) ?? '') + data.toString('utf8', 1)));
  await new Promise((resolve) => pair.socket.once('open', resolve));
  pair.socket.send(Buffer.from('\x04{"Width":80,"Height":24}'));
  pair.socket.send(Buffer.from('\x00hello'));
  pair.socket.send(Buffer.from([255, 0]));
  await new Promise((resolve) => pair.socket.once('close', resolve));

  assert.deepEqual([seen.get(1), JSON.parse(seen.get(3) ?? '').status, sizes], ['hello', 'Success', ['80x24']]);
  await pair.close();
});

test('port-forward works tunnelled in a WebSocket', async () => {
  const pair = await webSocketPair('tunnel', (socket) => servePortForwardTunnel(socket, async () => new PassThrough()));
  const client = new SpdyConnection(createWebSocketStream(pair.socket), { role: 'client' });
  const [, data] = await Promise.all(['error', 'data'].map((streamtype) => client.open({ streamtype, port: '80', requestid: '0' })));
  data?.io.end('ping');
  assert.equal(await text(data?.io as Duplex), 'ping');
  client.destroy();
  await pair.close();
});

test('the tunnel protocol, which has a slash, is agreed on', async () => {
  const server = createServer();
  server.on('upgrade', (request, socket, head) => void acceptWebSocket(request, socket, head, PORT_FORWARD_TUNNEL_PROTOCOL));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol': PORT_FORWARD_TUNNEL_PROTOCOL,
  };
  const call = request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', headers });
  call.end();
  const answer = await new Promise<IncomingMessage>((resolve) =>
    call.once('upgrade', (message, socket) => {
      socket.destroy();
      resolve(message);
    }),
  );
  assert.equal(answer.headers['sec-websocket-protocol'], PORT_FORWARD_TUNNEL_PROTOCOL);
  await new Promise((resolve) => server.close(resolve));
});

test('options take both spellings, drop stderr with a terminal, and need a stream', () => {
  assert.deepEqual(remoteCommandOptions(new URLSearchParams('input=1&output=1&error=1&tty=1')), {
    stdin: true,
    stdout: true,
    stderr: false,
    tty: true,
  });
  assert.throws(() => remoteCommandOptions(new URLSearchParams('tty=1')), /at least 1 of stdin, stdout, stderr/);
});

test('whatever the text, a size is two small numbers or nothing', () => {
  fc.assert(fc.property(fc.string(), (input) => void parseSize(input)));
  assert.equal(parseSize('{"Width":-1,"Height":2}'), undefined);
});
