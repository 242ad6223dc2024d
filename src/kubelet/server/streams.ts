// SPDX-License-Identifier: Apache-2.0
// /exec, /attach and /portForward: finds the container or sandbox, agrees on a protocol, hands the bytes to #streaming.
// @source upstream pkg/kubelet/server/server.go getExec, getAttach, getPortForward
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Container, Runtime } from '#runtime';
import {
  acceptSpdy,
  acceptWebSocket,
  chooseProtocol,
  offeredProtocols,
  PORT_FORWARD_PROTOCOL,
  PORT_FORWARD_TUNNEL_PROTOCOL,
  RemoteCommandError,
  type RemoteCommandOptions,
  remoteCommandOptions,
  SPDY_COMMAND_PROTOCOLS,
  STREAM_PROTOCOL_HEADER,
  type StartProcess,
  servePortForward,
  servePortForwardTunnel,
  serveSpdyCommand,
  serveWebSocketCommand,
  upgradeKind,
  WEBSOCKET_COMMAND_PROTOCOLS,
} from '#streaming';
import { findContainerSpec, type PodView } from '../pod/pod.ts';
import { latest, observePod, readySandbox } from '../pod/pod-runtime.ts';
import { HttpError } from './http-error.ts';

export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly url: URL;
}

interface Deps {
  readonly runtime: Runtime;
  pods(): readonly PodView[];
}

/** Resolves when the stream is over. @throws {HttpError} Before the upgrade is granted. */
export async function serveUpgrade(upgrade: Upgrade, deps: Deps): Promise<void> {
  const [verb, ...rest] = upgrade.url.pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  if (verb === 'portForward') return forwardPorts(upgrade, rest, deps);
  if (verb !== 'exec' && verb !== 'attach') throw new HttpError(404, '404 page not found\n');
  const { container, spec } = findContainer(rest, deps);
  const options = optionsOf(upgrade.url.searchParams);
  if (verb === 'exec') {
    const command = upgrade.url.searchParams.getAll('command');
    if (command.length === 0) throw new HttpError(400, 'you must specify a command');
    const start = () => deps.runtime.exec(container.id, { command, tty: options.tty, stdin: options.stdin });
    return serveCommand(upgrade, options, start);
  }
  // Whether there is a terminal is the container's nature, not the client's wish.
  const tty = spec.tty ?? false;
  const attached = { ...options, tty, stderr: options.stderr && !tty };
  return serveCommand(upgrade, attached, () => deps.runtime.attach(container.id, { stdin: options.stdin }));
}

function optionsOf(query: URLSearchParams): RemoteCommandOptions {
  try {
    return remoteCommandOptions(query);
  } catch (error) {
    if (error instanceof RemoteCommandError) throw new HttpError(400, error.message);
    throw error;
  }
}

function findPod(namespace: string, name: string, uid: string | undefined, deps: Deps): PodView {
  const pod = deps.pods().find((one) => one.metadata.name === name && one.metadata.namespace === namespace);
  if (pod === undefined || (uid !== undefined && uid !== pod.metadata.uid)) throw new HttpError(404, 'pod does not exist');
  return pod;
}

/** `/ns/pod/container` or `/ns/pod/uid/container`. */
function findContainer(parts: readonly string[], deps: Deps): { container: Container; spec: { readonly tty?: boolean } } {
  const [namespace = '', podName = '', third = '', fourth] = parts;
  const name = fourth ?? third;
  const pod = findPod(namespace, podName, fourth === undefined ? undefined : third, deps);
  const spec = findContainerSpec(pod, name)?.spec;
  const container = latest(observePod(deps.runtime, pod.metadata.uid), name);
  if (spec === undefined || container === undefined) throw new HttpError(404, `container not found ("${name}")`);
  if (container.state !== 'running') throw new HttpError(400, `container not running (${container.id})`);
  return { container, spec };
}

async function serveCommand({ request, socket, head }: Upgrade, options: RemoteCommandOptions, start: StartProcess): Promise<void> {
  if (upgradeKind(request) === 'websocket') {
    const protocol = chooseProtocol(offeredProtocols(request, 'sec-websocket-protocol'), WEBSOCKET_COMMAND_PROTOCOLS);
    if (protocol === undefined)
      throw new HttpError(400, `requested protocol(s) are not supported; supports [${WEBSOCKET_COMMAND_PROTOCOLS.join(' ')}]`);
    return serveWebSocketCommand(await acceptWebSocket(request, socket, head, protocol), { ...options, protocol }, start);
  }
  const protocol = spdyProtocol(request, SPDY_COMMAND_PROTOCOLS);
  return serveSpdyCommand(acceptSpdy(socket, head, protocol), options, start);
}

function spdyProtocol(request: IncomingMessage, ours: readonly string[]): string {
  if (upgradeKind(request) !== 'spdy') throw new HttpError(400, 'Upgrade request required');
  const offered = offeredProtocols(request, STREAM_PROTOCOL_HEADER);
  const protocol = chooseProtocol(offered, ours);
  if (protocol !== undefined) return protocol;
  throw new HttpError(
    403,
    `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${ours.join(' ')}]`,
  );
}

async function forwardPorts({ request, socket, head }: Upgrade, parts: readonly string[], deps: Deps): Promise<void> {
  const [namespace = '', name = '', uid] = parts;
  const pod = findPod(namespace, name, uid, deps);
  const sandbox = readySandbox(observePod(deps.runtime, pod.metadata.uid));
  if (sandbox === undefined)
    throw new HttpError(400, `unable to forward port because pod is not running. Current status=${pod.status?.phase ?? 'Pending'}`);
  const dial = (port: number) => deps.runtime.portForward(sandbox.id, port);
  if (upgradeKind(request) === 'websocket') {
    const offered = offeredProtocols(request, 'sec-websocket-protocol');
    if (!offered.includes(PORT_FORWARD_TUNNEL_PROTOCOL))
      throw new HttpError(400, `requested protocol(s) are not supported; supports [${PORT_FORWARD_TUNNEL_PROTOCOL}]`);
    return servePortForwardTunnel(await acceptWebSocket(request, socket, head, PORT_FORWARD_TUNNEL_PROTOCOL), dial);
  }
  const protocol = spdyProtocol(request, [PORT_FORWARD_PROTOCOL]);
  return servePortForward(acceptSpdy(socket, head, protocol), dial);
}
