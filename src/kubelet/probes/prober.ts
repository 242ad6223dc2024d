// SPDX-License-Identifier: Apache-2.0
// One try of a probe: exec, HTTP, TCP, gRPC. Texts are upstream's, since they end up in Unhealthy events.
// @source upstream pkg/probe/{exec,http,tcp,grpc}, pkg/kubelet/prober/prober.go

import { request as httpRequest } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { HTTPGetAction, Probe } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import { type Runtime, RuntimeError } from '#runtime';
import { portOf } from '../container/lifecycle-hook.ts';
import type { ContainerSpec } from '../pod/pod.ts';

export interface ProbeTarget {
  readonly runtime: Runtime;
  readonly containerId: string;
  readonly spec: ContainerSpec;
  readonly podIp: string;
}

/** `unknown`: the probe itself could not run; it counts as nothing. */
export interface ProbeOutcome {
  readonly result: 'success' | 'warning' | 'failure' | 'unknown';
  readonly output: string;
}

const MAX_OUTPUT = 10 * 1024;

/** Never rejects. */
export async function probeOnce(probe: DeepReadonly<Probe>, target: ProbeTarget): Promise<ProbeOutcome> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.exec !== undefined) return await probeExec(probe.exec.command ?? [], target, timeoutMs);
    if (probe.httpGet !== undefined) return await probeHttp(probe.httpGet, target, timeoutMs);
    if (probe.tcpSocket !== undefined) {
      return await probeTcp(probe.tcpSocket.host || target.podIp, portOf(probe.tcpSocket.port, target.spec), timeoutMs);
    }
    if (probe.grpc !== undefined) return await probeGrpc(target.podIp, probe.grpc, timeoutMs);
    return { result: 'unknown', output: `missing probe handler for ${target.spec.name}` };
  } catch (error) {
    return { result: 'unknown', output: (error as Error).message };
  }
}

async function probeExec(command: readonly string[], { runtime, containerId }: ProbeTarget, timeoutMs: number): Promise<ProbeOutcome> {
  try {
    const { exitCode, stdout, stderr } = await runtime.execSync(containerId, command, { timeoutMs, limitBytes: MAX_OUTPUT });
    const output = Buffer.concat([stdout, stderr]).toString('utf8').slice(0, MAX_OUTPUT);
    return { result: exitCode === 0 ? 'success' : 'failure', output };
  } catch (error) {
    if (error instanceof RuntimeError && error.reason === 'Timeout') {
      return { result: 'failure', output: `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s` };
    }
    throw error;
  }
}

const bracket = (host: string) => (host.includes(':') ? `[${host}]` : host);

function probeHttp(action: DeepReadonly<HTTPGetAction>, { spec, podIp }: ProbeTarget, timeoutMs: number): Promise<ProbeOutcome> {
  const isHttps = action.scheme === 'HTTPS';
  const host = action.host || podIp;
  const port = portOf(action.port, spec);
  const path = action.path?.startsWith('/') ? action.path : `/${action.path ?? ''}`;
  const url = `${isHttps ? 'https' : 'http'}://${bracket(host)}:${port}${path}`;
  const headers: Record<string, string> = { 'user-agent': 'kube-probe/1.36', accept: '*/*', connection: 'close' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name.toLowerCase()] = value;
  return new Promise((resolve) => {
    const fail = (why: string) => resolve({ result: 'failure', output: `Get "${url}": ${why}` });
    const options = { host, port, path, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) };
    const done = (response: import('node:http').IncomingMessage) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        if (size < MAX_OUTPUT) chunks.push(chunk);
        size += chunk.length;
      });
      response.on('error', (error) => fail(httpFailure(error, host, port)));
      response.on('end', () => resolve(judge(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8').slice(0, MAX_OUTPUT))));
    };
    const call = isHttps ? httpsRequest({ ...options, rejectUnauthorized: false }, done) : httpRequest(options, done);
    call.on('error', (error) => fail(httpFailure(error, host, port)));
    call.end();
  });
}

/** A redirect to elsewhere is not followed: it counts as success with a warning, as upstream has it. */
function judge(code: number, body: string): ProbeOutcome {
  if (code >= 300 && code < 400) return { result: 'warning', output: `Probe terminated redirects, Response body: ${body}` };
  if (code >= 200 && code < 300) return { result: 'success', output: body };
  return { result: 'failure', output: `HTTP probe failed with statuscode: ${code}` };
}

function httpFailure(error: Error & { code?: string }, host: string, port: number): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError') {
    return 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
  }
  return dialFailure(error, host, port);
}

function dialFailure(error: Error & { code?: string }, host: string, port: number): string {
  const at = `dial tcp ${bracket(host)}:${port}`;
  if (error.code === 'ECONNREFUSED') return `${at}: connect: connection refused`;
  if (error.code === 'EHOSTUNREACH') return `${at}: connect: no route to host`;
  if (error.code === 'ENETUNREACH') return `${at}: connect: network is unreachable`;
  if (error.code === 'ETIMEDOUT') return `${at}: i/o timeout`;
  if (error.code === 'ECONNRESET' || error.message === 'socket hang up') return 'EOF';
  return error.message;
}

function probeTcp(host: string, port: number, timeoutMs: number): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const end = (outcome: ProbeOutcome) => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once('connect', () => end({ result: 'success', output: '' }));
    socket.once('timeout', () => end({ result: 'failure', output: `dial tcp ${bracket(host)}:${port}: i/o timeout` }));
    socket.once('error', (error) => end({ result: 'failure', output: dialFailure(error, host, port) }));
  });
}

/** grpc.health.v1.Health/Check by hand: one unary call with one string field, over HTTP/2 without TLS. */
function probeGrpc(host: string, { port, service = '' }: { port: number; service?: string }, timeoutMs: number): Promise<ProbeOutcome> {
  const address = `${bracket(host)}:${port}`;
  return new Promise((resolve) => {
    const session = connectHttp2(`http://${address}`);
    const end = (result: ProbeOutcome['result'], output: string) => {
      timer.removeEventListener('abort', late);
      session.destroy();
      resolve({ result, output });
    };
    const timer = AbortSignal.timeout(timeoutMs);
    const late = () =>
      end('failure', `timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s: context deadline exceeded`);
    timer.addEventListener('abort', late, { once: true });
    session.on('error', (error) => end('failure', `failed to connect service "${address}": ${dialFailure(error, host, port)}`));
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      'user-agent': 'kube-probe/1.36',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let code = '';
    let text = '';
    const note = (headers: import('node:http2').IncomingHttpHeaders) => {
      code = String(headers['grpc-status'] ?? code);
      text = String(headers['grpc-message'] ?? text);
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', (error) => end('failure', `error: health rpc failed: ${error.message}`));
    stream.on('end', () => {
      if (code !== '' && code !== '0') {
        return end(
          'failure',
          code === '12'
            ? 'error: this server does not implement the grpc health protocol (grpc.health.v1.Health)'
            : `error: health rpc failed: ${decodeURIComponent(text)}`,
        );
      }
      const status = servingStatus(Buffer.concat(chunks));
      if (status === 1) end('success', 'service healthy');
      else end('failure', `service unhealthy (responded with "${SERVING[status] ?? status}")`);
    });
    stream.end(grpcMessage(service));
  });
}

const SERVING: Readonly<Record<number, string>> = { 0: 'UNKNOWN', 1: 'SERVING', 2: 'NOT_SERVING', 3: 'SERVICE_UNKNOWN' };

export function grpcMessage(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length > 127) throw new RangeError('gRPC service name is longer than 127 bytes');
  const body = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Field 1, a varint, of the first message. Absent: 0. */
export function servingStatus(data: Buffer): number {
  const body = data.subarray(5);
  return body[0] === 0x08 ? (body[1] ?? 0) : 0;
}
