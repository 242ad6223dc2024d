// SPDX-License-Identifier: Apache-2.0
// What carries a client's requests. Two of them: `LoopbackTransport` calls an API server in this process, `HttpsTransport`
// (https.ts) speaks HTTP/2. Bodies are objects on this level; only the HTTPS one turns them into bytes.

export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Without query: `/api/v1/namespaces/default/pods`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType?: string;
  readonly body?: unknown;
}

export interface TransportAnswer {
  readonly status: number;
  readonly body: unknown;
}

export interface Transport {
  /** One request, one object. Never throws for a status: the client does that. @throws {TransportError} Where there is no answer. */
  send(request: TransportRequest, signal: AbortSignal | undefined): Promise<TransportAnswer>;
  /** A watch: its frames, decoded. @throws {ApiError} If it is refused. */
  stream(request: TransportRequest, signal: AbortSignal): AsyncIterable<{ type: string; object: unknown }>;
  /** Bytes in, bytes out. */
  raw(
    request: { method: string; path: string; headers?: Readonly<Record<string, string>>; body?: Uint8Array | undefined },
    signal: AbortSignal | undefined,
  ): Promise<{ status: number; headers: Record<string, string>; body: Uint8Array }>;
}
