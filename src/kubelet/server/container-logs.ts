// SPDX-License-Identifier: Apache-2.0
// `/containerLogs/{namespace}/{pod}/{container}`: finds the instance that is meant and streams its log.
// @source upstream pkg/kubelet/server/server.go getContainerLogs, kubelet_pods.go GetKubeletContainerLogs
import type { ServerResponse } from 'node:http';
import type { Clock } from '#component';
import type { Container, Runtime } from '#runtime';
import { type LogOptions, readLogs } from '../logs/read-logs.ts';
import { findContainerSpec, type PodView } from '../pod/pod.ts';
import { observePod } from '../pod/pod-runtime.ts';
import { HttpError } from './http-error.ts';

interface Deps {
  readonly runtime: Runtime;
  readonly clock: Clock;
}

/** @throws {HttpError} 400 or 404 with upstream's text. */
export function logInstance(pod: PodView, name: string, previous: boolean, runtime: Runtime): Container {
  const text = `container "${name}" in pod "${pod.metadata.name}"`;
  if (findContainerSpec(pod, name) === undefined)
    throw new HttpError(404, `container ${name} not found in pod ${pod.metadata.name}_${pod.metadata.namespace}`);
  const [current, before] = observePod(runtime, pod.metadata.uid).byName.get(name) ?? [];
  if (previous) {
    const ended = current?.state === 'exited' && isWaiting(pod, name) ? current : before;
    if (ended === undefined) throw new HttpError(400, `previous terminated ${text} not found`);
    return ended;
  }
  if (current === undefined || current.state === 'created') {
    const waiting = statusOf(pod, name)?.state?.waiting;
    if (waiting?.reason !== undefined && before === undefined)
      throw new HttpError(400, `${text} is waiting to start: ${waitingText(waiting)}`);
    throw new HttpError(400, `${text} is not available`);
  }
  return current;
}

function waitingText({ reason = '', message }: { readonly reason?: string; readonly message?: string }): string {
  return { ErrImagePull: "image can't be pulled", ImagePullBackOff: 'trying and failing to pull image' }[reason] ?? message ?? reason;
}

function statusOf(pod: PodView, name: string) {
  const { initContainerStatuses = [], containerStatuses = [], ephemeralContainerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses].find((status) => status.name === name);
}

const isWaiting = (pod: PodView, name: string) => statusOf(pod, name)?.state?.waiting !== undefined;

/** @throws {HttpError} 400 for a number that is none. */
export function logOptions(query: URLSearchParams, now: number): LogOptions {
  const flag = (name: string) => query.get(name) === 'true' || query.get(name) === '1';
  const number = (name: string, least: number) => {
    const text = query.get(name);
    if (text === null || text === '') return undefined;
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) throw new HttpError(422, `{"message": "Invalid request."}`);
    return value;
  };
  const sinceSeconds = number('sinceSeconds', 1);
  const sinceTime = query.get('sinceTime');
  const since = sinceSeconds !== undefined ? now - sinceSeconds * 1000 : sinceTime ? Date.parse(sinceTime) : undefined;
  if (since !== undefined && Number.isNaN(since)) throw new HttpError(422, `{"message": "Invalid request."}`);
  const tail = query.get('tailLines') === 'all' ? undefined : number('tailLines', 0);
  const stream = query.get('stream')?.toLowerCase();
  return {
    follow: flag('follow'),
    timestamps: flag('timestamps'),
    tailLines: tail,
    limitBytes: number('limitBytes', 1),
    since,
    stream: stream === 'stdout' || stream === 'stderr' ? stream : undefined,
  };
}

export async function streamLogs(container: Container, options: LogOptions, response: ServerResponse, { runtime }: Deps): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const source = {
    path: container.logPath,
    isRunning: () => runtime.findContainer(container.id)?.state === 'running',
    onEnd: (wake: () => void, signal: AbortSignal) => void watchEnd(runtime, container.id, wake, signal),
  };
  response.writeHead(200, { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
  response.flushHeaders();
  for await (const bytes of readLogs(source, options, gone.signal)) {
    if (response.destroyed) return;
    if (!response.write(bytes)) {
      await new Promise<void>((resolve) => {
        response.once('drain', resolve);
        response.once('close', resolve);
      });
    }
  }
  response.end();
}

async function watchEnd(runtime: Runtime, id: string, wake: () => void, signal: AbortSignal): Promise<void> {
  for await (const event of runtime.events(signal)) if (event.containerId === id) wake();
}
