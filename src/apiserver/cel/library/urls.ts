// SPDX-License-Identifier: Apache-2.0
// URLs (apiserver pkg/cel/library/urls.go): absolute ones and absolute paths, checked as Go's url.ParseRequestURI checks them, which
// knows no fragments, and read without their fragment.

import { fromJson } from '../convert.ts';
import type { Library } from '../declarations.ts';
import { failure, JsonMap, type Opaque, type Value } from '../values.ts';

class UrlValue implements Opaque {
  readonly opaque = 'kubernetes.URL';
  readonly text: string;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  constructor(text: string, scheme: string, host: string, path: string, query: string) {
    this.text = text;
    this.scheme = scheme;
    this.host = host;
    this.path = path;
    this.query = query;
  }
  equals(other: unknown): boolean {
    return other instanceof UrlValue && other.text === this.text;
  }
  hostname(): string {
    const bracketed = /^\[([^\]]*)\]/.exec(this.host);
    return bracketed?.[1] ?? this.host.replace(/:\d*$/, '');
  }
  port(): string {
    return /(?:^|[^:\]]|\])(?::(\d*))$/.exec(this.host)?.[1] ?? '';
  }
}

function printed(text: string): string {
  return JSON.stringify(text);
}

/** @returns What is wrong, as Go says it. */
function parse(text: string): UrlValue | string {
  const problem = (why: string) => `parse ${printed(text)}: ${why}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\x00-\x1f\x7f]/.test(text)) return problem('net/url: invalid control character in URL');
  if (text === '') return problem('empty url');
  if (text.startsWith(':')) return problem('missing protocol scheme');
  const [, scheme = '', afterScheme = text] = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s.exec(text) ?? [];
  const mark = afterScheme.indexOf('?');
  const rest = mark < 0 ? afterScheme : afterScheme.slice(0, mark);
  const query = mark < 0 ? '' : afterScheme.slice(mark + 1);
  if (!rest.startsWith('/')) {
    if (scheme !== '') return new UrlValue(text, scheme.toLowerCase(), '', '', query);
    return problem('invalid URI for request');
  }
  let host = '';
  let path = rest;
  if (rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'))) {
    const [, authority = '', after = ''] = /^\/\/([^/]*)(.*)$/s.exec(rest) ?? [];
    host = authority.slice(authority.lastIndexOf('@') + 1);
    path = after;
    const wrong = hostProblem(host);
    if (wrong !== undefined) return problem(wrong);
  }
  const broken = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(path)?.[0];
  if (broken !== undefined) return problem(`invalid URL escape ${printed(broken)}`);
  return new UrlValue(text, scheme.toLowerCase(), host, path, query);
}

function withoutFragment(text: string): string {
  const mark = text.indexOf('#');
  return mark < 0 ? text : text.slice(0, mark);
}

function hostProblem(host: string): string | undefined {
  if (host.startsWith('[')) {
    const end = host.lastIndexOf(']');
    if (end < 0) return "missing ']' in host";
    const port = host.slice(end + 1);
    return port === '' || /^:\d*$/.test(port) ? undefined : `invalid port ${printed(port)} after host`;
  }
  const colon = host.lastIndexOf(':');
  if (colon >= 0 && !/^:\d*$/.test(host.slice(colon))) return `invalid port ${printed(host.slice(colon))} after host`;
  const bad = /[ \\^`{|}]/.exec(host)?.[0];
  return bad === undefined ? undefined : `invalid character ${printed(bad)} in host name`;
}

/** What is wrong with a URL, for the named format `uri`. */
export function urlProblem(text: string): string | undefined {
  const parsed = parse(text);
  return typeof parsed === 'string' ? parsed : undefined;
}

function escapedPath(path: string): string {
  return path.replace(/%[0-9a-fA-F]{2}|[^a-zA-Z0-9\-_.~$&+,/:;=@!'()*]/gu, (part) => (part.length === 3 ? part : encodeURIComponent(part)));
}

function queryOf(query: string): Value {
  const values: Record<string, string[]> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    const list = Object.hasOwn(values, name) ? values[name] : undefined;
    if (list === undefined) Object.defineProperty(values, name, { value: [value], enumerable: true, configurable: true, writable: true });
    else list.push(value);
  }
  return new JsonMap(values, fromJson);
}

function part(read: (url: UrlValue) => Value): (url: Value | undefined) => Value {
  return (url) => read(url as UrlValue);
}

export const URLS: Library = {
  url: [
    [
      'string_to_url',
      '(string)->URL',
      (text) => {
        const whole = parse(text as string);
        const parsed = typeof whole === 'string' ? whole : parse(withoutFragment(text as string));
        return typeof parsed === 'string'
          ? failure(`URL parse error during conversion from string: ${parsed}`)
          : (parsed as unknown as Value);
      },
    ],
  ],
  isURL: [['is_url_string', '(string)->bool', (text) => typeof parse(text as string) !== 'string']],
  getScheme: [['url_get_scheme', 'URL.()->string', part((url) => url.scheme)]],
  getHost: [['url_get_host', 'URL.()->string', part((url) => url.host)]],
  getHostname: [['url_get_hostname', 'URL.()->string', part((url) => url.hostname())]],
  getPort: [['url_get_port', 'URL.()->string', part((url) => url.port())]],
  getEscapedPath: [['url_get_escaped_path', 'URL.()->string', part((url) => escapedPath(url.path))]],
  getQuery: [['url_get_query', 'URL.()->map(string,list(string))', part((url) => queryOf(url.query))]],
};
