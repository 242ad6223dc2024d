// SPDX-License-Identifier: Apache-2.0
// What the conformance tests ask a server with: raw requests as its administrator, and watches read until something is seen.
import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import { parse } from 'yaml';
import type { ControlPlane } from './control-plane.ts';

/** Where a server is, and who its administrator is. */
export type Place = Pick<ControlPlane, 'port' | 'ca' | 'env'>;

/** An object of the API, of whatever form: read it with `at`. */
export type Json = Readonly<Record<string, unknown>>;

/** What is at a path such as `status.conditions.0.type`; undefined where the path ends early. */
export function at<T = unknown>(object: unknown, path: string): T | undefined {
  let value = object;
  for (const step of path.split('.')) value = (value as Json | undefined)?.[step];
  return value as T | undefined;
}

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Undefined if it is not JSON. */
  readonly body: Json;
}

export interface RequestOptions {
  readonly type?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: Json;
}

const PATCHES = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** Requests to a control plane as its administrator. */
export class Requests {
  readonly #plane: Place;
  readonly #identity: { readonly ca: string; readonly cert: string; readonly key: string };

  constructor(plane: Place) {
    this.#plane = plane;
    const file = parse(readFileSync(plane.env['KUBECONFIG'] ?? '', 'utf8')) as Json;
    const pem = (base64: unknown) => Buffer.from(String(base64), 'base64').toString();
    const user = (name: string) => pem(at(file, `users.0.user.${name}`));
    this.#identity = { ca: plane.ca, cert: user('client-certificate-data'), key: user('client-key-data') };
  }

  async send(method: string, path: string, body?: object | string, options: RequestOptions = {}): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const asked = this.#open(method, path, body, options);
    asked.on('error', reject).on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject).on('end', () => {
        resolve({ code: response.statusCode ?? 0, headers: response.headers, text, body: jsonOf(text) });
      });
    });
    return await promise;
  }

  /** @throws {Error} Unless the answer is a success. */
  async must(method: string, path: string, body?: object | string, options: RequestOptions = {}): Promise<Json> {
    const answer = await this.send(method, path, body, options);
    if (answer.code >= 300) throw new Error(`${method} ${path}: ${answer.code} ${at(answer.body, 'message') ?? answer.text}`);
    return answer.body;
  }

  get = (path: string, options?: RequestOptions) => this.must('GET', path, undefined, options);
  post = (path: string, body: object | string, options?: RequestOptions) => this.must('POST', path, body, options);
  put = (path: string, body: object) => this.must('PUT', path, body);
  delete = (path: string, body?: object) => this.must('DELETE', path, body);

  patch(path: string, kind: keyof typeof PATCHES, body: object): Promise<Json> {
    return this.must('PATCH', path, body, { type: PATCHES[kind] });
  }

  /** Reads, changes, writes; again after a conflict. */
  async update(path: string, change: (object: Json) => object, subresource = ''): Promise<Json> {
    for (;;) {
      const answer = await this.send('PUT', path + subresource, change(await this.get(path)));
      if (answer.code === 409) continue;
      if (answer.code >= 300) throw new Error(`PUT ${path}${subresource}: ${answer.code} ${answer.text}`);
      return answer.body;
    }
  }

  /** Events of a collection until `until` is true of all seen so far. @throws {Error} After 30 seconds, with what was seen. */
  async watch(path: string, until: (events: readonly WatchEvent[]) => boolean): Promise<WatchEvent[]> {
    const { promise, resolve, reject } = Promise.withResolvers<WatchEvent[]>();
    const seen: WatchEvent[] = [];
    const asked = this.#open('GET', `${path}${path.includes('?') ? '&' : '?'}watch=true`, undefined, {});
    const late = setTimeout(() => reject(new Error(`watch ${path}: only saw ${JSON.stringify(seen).slice(0, 3000)}`)), 30_000);
    asked.on('error', reject).on('response', (response) => {
      response.on('error', reject); // Also the end that is made below, when nobody listens any more.
      createInterface({ input: response })
        .on('error', reject)
        .on('line', (line) => {
          seen.push(JSON.parse(line) as WatchEvent);
          if (until(seen)) resolve(seen);
        });
    });
    promise.catch(() => undefined); // A caller may look only after something else has failed.
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      asked.destroy();
    }
  }

  /** The object `name` of a collection, once `until` is true of it. */
  async seen(collection: string, name: string, until: (object: Json) => boolean): Promise<Json> {
    const is = ({ type, object }: WatchEvent) => type !== 'DELETED' && until(object);
    const events = await this.watch(`${collection}?fieldSelector=metadata.name%3D${name}`, (all) => all.slice(-1).some(is));
    return events.at(-1)?.object as Json;
  }

  /** Resolves when a collection has no object `name`. */
  async gone(collection: string, name: string): Promise<void> {
    const list = await this.get(`${collection}?fieldSelector=metadata.name%3D${name}`);
    if (at(list, 'items.length') === 0) return;
    const from = `fieldSelector=metadata.name%3D${name}&resourceVersion=${at(list, 'metadata.resourceVersion')}`;
    await this.watch(`${collection}?${from}`, (events) => events.at(-1)?.type === 'DELETED');
  }

  #open(method: string, path: string, body: object | string | undefined, { type, accept, headers }: RequestOptions) {
    const { port } = this.#plane;
    const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const asked = httpsRequest({
      host: '127.0.0.1',
      port,
      path,
      method,
      ...this.#identity,
      agent: false,
      headers: {
        accept: accept ?? 'application/json',
        ...(content === undefined ? {} : { 'content-type': type ?? 'application/json', 'content-length': Buffer.byteLength(content) }),
        ...headers,
      },
    });
    asked.end(content);
    return asked;
  }
}

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined as unknown as Json;
  }
}
