// SPDX-License-Identifier: Apache-2.0
// The parts of a webhook's URL as Go's url.Parse finds them. The platform's parser repairs what Go refuses, and takes the first
// segment of a path for a host that is missing.

export interface ParsedUrl {
  readonly scheme: string;
  readonly user?: string;
  readonly host: string;
  readonly query: string;
  readonly fragment: string;
}

const ESCAPE = /%(?![0-9a-fA-F]{2}).{0,2}/su;

function cut(text: string, separator: string): [before: string, after: string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** @returns The parts, or what Go says is wrong. */
export function parseUrl(url: string): ParsedUrl | string {
  const [text, fragment] = cut(url, '#');
  const problem = (why: string) => `parse ${JSON.stringify(text)}: ${why}`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\x00-\x1f\x7f]/.test(text)) return problem('net/url: invalid control character in URL');
  if (text.startsWith(':')) return problem('missing protocol scheme');
  const [, scheme = '', afterScheme = text] = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s.exec(text) ?? [];
  const [rest, query] = cut(afterScheme, '?');
  const parts = { scheme: scheme.toLowerCase(), host: '', query, fragment };
  if (!rest.startsWith('/')) {
    if (scheme !== '') return parts;
    if (cut(rest, '/')[0].includes(':')) return problem('first path segment in URL cannot contain colon');
  }
  const hasAuthority = rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'));
  const authority = hasAuthority ? cut(rest.slice(2), '/')[0] : '';
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  const user = at < 0 ? undefined : authority.slice(0, at);
  const why = hostProblem(host) ?? userProblem(user) ?? escapeProblem(rest.slice(authority.length)) ?? escapeProblem(fragment);
  if (why !== undefined) return problem(why);
  return { ...parts, host, ...(user === undefined ? {} : { user }) };
}

function escapeProblem(text: string | undefined): string | undefined {
  const broken = ESCAPE.exec(text ?? '')?.[0];
  return broken === undefined ? undefined : `invalid URL escape ${JSON.stringify(broken)}`;
}

function userProblem(user: string | undefined): string | undefined {
  return user === undefined || /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user) ? escapeProblem(user) : 'net/url: invalid userinfo';
}

function hostProblem(host: string): string | undefined {
  const end = host.lastIndexOf(']');
  if (host.startsWith('[') && end < 0) return "missing ']' in host";
  const colon = host.startsWith('[') ? end + 1 : host.lastIndexOf(':');
  const port = colon < 0 ? '' : host.slice(colon);
  if (port !== '' && !/^:\d*$/.test(port)) return `invalid port ${JSON.stringify(port)} after host`;
  const bad = /[ \\^`{|}]/.exec(host)?.[0];
  return bad === undefined ? escapeProblem(host) : `invalid character ${JSON.stringify(bad)} in host name`;
}
