// SPDX-License-Identifier: Apache-2.0
// An extension API server on plain node:https: group `tides.example.com`, version v1, resource `tides`, which nobody stores: they are
// computed when they are asked for. It believes X-Remote-* headers only from the front proxy, as docs/guides/aggregated-api.md tells.
// Not here: writes, watches, authorization of its own (the API server has authorized before it passes a request on).
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';

const PORT = 7565;
const GROUP_VERSION = 'tides.example.com/v1';
const ROOT = `/apis/${GROUP_VERSION}`;
const keys = new URL('keys/', import.meta.url);

/** Mean heights of high water, centimetres. */
const HARBOURS: Readonly<Record<string, number>> = { busan: 120, incheon: 860, mokpo: 430 };

/** Time between two high waters. */
const PERIOD_MS = 44_714_000;

interface Tide {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly highCentimetres: number };
  readonly status: { readonly centimetres: number };
}

function tide(name: string, high: number, now: number): Tide {
  const phase = Math.cos((2 * Math.PI * now) / PERIOD_MS);
  return {
    apiVersion: GROUP_VERSION,
    kind: 'Tide',
    metadata: { name },
    spec: { highCentimetres: high },
    status: { centimetres: Math.round((high * (1 + phase)) / 2) },
  };
}

/** `kubectl get` asks for a table: the server, not kubectl, knows what is worth a column. */
function table(tides: readonly Tide[]): object {
  const column = (name: string, type: string) => ({ name, type, format: name === 'Name' ? 'name' : '', description: '', priority: 0 });
  const rows = tides.map((object) => ({ cells: [object.metadata.name, object.spec.highCentimetres, object.status.centimetres], object }));
  const columnDefinitions = [column('Name', 'string'), column('High', 'integer'), column('Now', 'integer')];
  return { apiVersion: 'meta.k8s.io/v1', kind: 'Table', metadata: {}, columnDefinitions, rows };
}

function failure(code: number, reason: string, message: string): object {
  return { apiVersion: 'v1', kind: 'Status', status: 'Failure', code, reason, message };
}

/** What kubectl reads to learn that there are tides. */
const RESOURCES = {
  apiVersion: 'v1',
  kind: 'APIResourceList',
  groupVersion: GROUP_VERSION,
  resources: [{ name: 'tides', singularName: 'tide', shortNames: ['td'], kind: 'Tide', namespaced: false, verbs: ['get', 'list'] }],
};

/** The user, if a front proxy vouches: its certificate is checked by TLS, its name here. */
function userOf({ socket, headers }: IncomingMessage): string | undefined {
  const tls = socket as TLSSocket;
  const isProxy = tls.authorized && tls.getPeerCertificate().subject?.CN === 'front-proxy-client';
  return isProxy ? String(headers['x-remote-user']) : undefined;
}

function answer(request: IncomingMessage): object {
  const user = userOf(request);
  const path = (request.url ?? '').split('?')[0] ?? '';
  console.log(`${request.method} ${path} for ${user ?? 'a stranger'}`);
  if (user === undefined) return failure(401, 'Unauthorized', 'come through the API server');
  if (path === ROOT) return RESOURCES;
  const [, name] = /^\/tides(?:\/([^/]+))?$/.exec(path.slice(ROOT.length)) ?? [];
  if (request.method !== 'GET' || !path.startsWith(`${ROOT}/tides`)) return failure(404, 'NotFound', 'there are only tides');
  const wanted = Object.entries(HARBOURS).filter(([harbour]) => name === undefined || name === harbour);
  const found = wanted.map(([harbour, high]) => tide(harbour, high, Date.now()));
  if (name !== undefined && found[0] === undefined) return failure(404, 'NotFound', `tides.tides.example.com "${name}" not found`);
  if (request.headers.accept?.includes('as=Table')) return table(found);
  return name === undefined ? { apiVersion: GROUP_VERSION, kind: 'TideList', metadata: {}, items: found } : (found[0] ?? {});
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const body = answer(request);
  const code = 'code' in body ? Number(body.code) : 200;
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const read = (name: string) => readFileSync(new URL(name, keys));
const tls = { cert: read('tls.crt'), key: read('tls.key'), ca: read('front-proxy-ca.crt'), requestCert: true, rejectUnauthorized: false };
createServer(tls, serve).listen(PORT, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${PORT}`));
