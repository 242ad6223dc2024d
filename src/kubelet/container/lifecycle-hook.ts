// SPDX-License-Identifier: Apache-2.0
// postStart and preStop hooks: exec, httpGet, sleep, and the never implemented tcpSocket, which upstream accepts and skips.
// @source upstream pkg/kubelet/lifecycle/handlers.go
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { LifecycleHandler } from '#api/core/v1';
import type { Clock } from '#component';
import type { DeepReadonly } from '#machinery';
import { type Runtime, RuntimeError } from '#runtime';
import type { ContainerSpec } from '../pod/pod.ts';

export interface HookContext {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly containerId: string;
  readonly spec: ContainerSpec;
  readonly podIp: string;
}

/** Thrown when a hook failed; the text goes to `FailedPostStartHook` and `FailedPreStopHook` events. */
export class HookError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HookError';
  }
}

/** @param timeoutMs Undefined: as long as it takes. @throws {HookError} */
export async function runHook(
  handler: DeepReadonly<LifecycleHandler>,
  context: HookContext,
  { timeoutMs, signal }: { timeoutMs: number | undefined; signal: AbortSignal },
): Promise<void> {
  if (handler.exec !== undefined) return runExec(handler.exec.command ?? [], context, timeoutMs);
  if (handler.httpGet !== undefined) return runHttp(handler.httpGet, context, timeoutMs, signal);
  if (handler.sleep !== undefined) await context.clock.sleep(handler.sleep.seconds * 1000, signal);
}

const FOREVER_MS = 2 ** 31 - 1;

async function runExec(command: readonly string[], { runtime, containerId }: HookContext, timeoutMs = FOREVER_MS): Promise<void> {
  try {
    const { exitCode, stdout, stderr } = await runtime.execSync(containerId, command, { timeoutMs, limitBytes: 1024 });
    if (exitCode !== 0) {
      throw new HookError(`command '${command.join(' ')}' exited with ${exitCode}: ${Buffer.concat([stdout, stderr]).toString('utf8')}`);
    }
  } catch (error) {
    if (error instanceof RuntimeError) throw new HookError(`command '${command.join(' ')}': ${error.message}`, { cause: error });
    throw error;
  }
}

/** A port of a handler: a number, or the name of one of the container's. @throws {HookError} */
export function portOf(port: number | string, spec: ContainerSpec): number {
  if (typeof port === 'number') return port;
  const named = spec.ports?.find((candidate) => candidate.name === port);
  const number = named?.containerPort ?? Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65535)
    throw new HookError(`couldn't find port: ${port} in container ${spec.name}`);
  return number;
}

function runHttp(
  action: NonNullable<DeepReadonly<LifecycleHandler>['httpGet']>,
  { spec, podIp }: HookContext,
  timeoutMs: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  const isHttps = action.scheme === 'HTTPS';
  const options = {
    host: action.host || podIp,
    port: portOf(action.port, spec),
    path: action.path?.startsWith('/') ? action.path : `/${action.path ?? ''}`,
    headers: {
      'user-agent': 'kube-lifecycle/1.36',
      accept: '*/*',
      ...Object.fromEntries((action.httpHeaders ?? []).map((h) => [h.name, h.value])),
    },
    signal: timeoutMs === undefined ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  };
  return new Promise((resolve, reject) => {
    const done = (response: IncomingMessage) => {
      response.resume();
      const code = response.statusCode ?? 0;
      if (code >= 400) reject(new HookError(`HTTP hook answered with status code ${code}`));
      else resolve();
    };
    const call = isHttps ? httpsRequest({ ...options, rejectUnauthorized: false }, done) : httpRequest(options, done);
    call.on('error', (error) => reject(new HookError(error.message, { cause: error })));
    call.end();
  });
}
