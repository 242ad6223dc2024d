// SPDX-License-Identifier: Apache-2.0
// streaming: exec, attach and port-forward on the wire, shared by the kubelet and the API server: WebSocket channels, SPDY/3.1
// framing, and the tunnel of the one in the other. Works on Duplex streams; knows neither Pods nor authorization.
export { exitStatus, failureStatus, type RemoteStatus } from './exit-status.ts';
export {
  type DialPort,
  PORT_FORWARD_PROTOCOL,
  PORT_FORWARD_TUNNEL_PROTOCOL,
  servePortForward,
  servePortForwardTunnel,
} from './port-forward.ts';
export {
  type RemoteClient,
  RemoteCommandError,
  type RemoteCommandOptions,
  type RemoteProcess,
  remoteCommandOptions,
  runRemoteCommand,
  type StartProcess,
  type TerminalSize,
} from './remote-command.ts';
export { SpdyConnection, type SpdyOptions, type SpdyStream } from './spdy/connection.ts';
export { SpdyError } from './spdy/frames.ts';
export { SPDY_COMMAND_PROTOCOLS, serveSpdyCommand } from './spdy-remote-command.ts';
export {
  acceptSpdy,
  acceptWebSocket,
  offeredProtocols,
  refuseUpgrade,
  STREAM_PROTOCOL_HEADER,
  type UpgradeKind,
  upgradeKind,
} from './upgrade.ts';
export {
  CHANNEL,
  chooseProtocol,
  serveWebSocketCommand,
  WEBSOCKET_COMMAND_PROTOCOLS,
  type WebSocketCommand,
} from './websocket-remote-command.ts';
