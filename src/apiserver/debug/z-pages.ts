// SPDX-License-Identifier: Apache-2.0
// `/statusz` and `/flagz`: what runs here and how it was started, as text for people, or as an object for those who name its kind.
// @source upstream component-base zpages/{statusz,flagz,httputil}; KEP-4827, KEP-4828
import { type ApiError, apiError } from '#machinery';
import { parseAccept } from '../encoding/negotiation.ts';
import { type ApiResult, objectResult, plainText, type RequestContext } from '../request/context.ts';

export interface ZPagesFacts {
  readonly component: string;
  readonly startedAt: number;
  readonly now: () => number;
  readonly version: { readonly gitVersion: string; readonly major: string; readonly minor: string };
  readonly paths: () => readonly string[];
  /** Every flag with the value in force; secrets are files, so that none is shown. */
  readonly flags: Readonly<Record<string, string>>;
}

const WARNING =
  'Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.';
const GROUP = 'config.k8s.io';
const VERSIONS = ['v1beta1', 'v1alpha1'];

/** The answer for a path, or undefined if it is neither. */
export function answerZPages(context: RequestContext, facts: ZPagesFacts): ApiResult | undefined {
  switch (context.info.path) {
    case '/statusz':
      return shown(
        context,
        'Statusz',
        () => statusText(facts),
        () => statusFields(facts),
      );
    case '/flagz':
      return shown(
        context,
        'Flagz',
        () => flagText(facts),
        () => ({ flags: facts.flags }),
      );
    default:
      return undefined;
  }
}

function shown(context: RequestContext, kind: string, text: () => string, fields: () => object): ApiResult {
  const header = context.header('accept');
  if (header === '') return plainText(200, text());
  for (const { name, parameters } of parseAccept(header)) {
    if (name === 'text/plain' || name === '*/*' || name === 'text/*') return plainText(200, text());
    const { v: version = '', g: group, as } = parameters;
    if (name === 'application/json' && as === kind && group === GROUP && VERSIONS.includes(version))
      return objectResult(200, { kind, apiVersion: `${GROUP}/${version}`, metadata: { name: 'kube-apiserver' }, ...fields() });
  }
  throw notAcceptable(kind);
}

function notAcceptable(kind: string): ApiError {
  const structured = VERSIONS.map((version) => `application/json;v=${version};g=${GROUP};as=${kind}`);
  return apiError(406, 'NotAcceptable', `only the following media types are accepted: ${['text/plain', ...structured].join(', ')}`, {});
}

function statusFields({ startedAt, now, version, paths }: ZPagesFacts): object {
  return {
    startTime: `${new Date(startedAt).toISOString().slice(0, 19)}Z`,
    uptimeSeconds: Math.floor((now() - startedAt) / 1000),
    goVersion: process.version,
    binaryVersion: version.gitVersion.replace(/^v/, ''),
    emulationVersion: `${version.major}.${version.minor}`,
    paths: paths(),
  };
}

function statusText(facts: ZPagesFacts): string {
  const { component, startedAt, now, version, paths } = facts;
  const up = Math.floor((now() - startedAt) / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  return `
${component} statusz
${WARNING}

Started: ${new Date(startedAt).toUTCString()}
Up: ${Math.floor(up / 3600)} hr ${two(Math.floor(up / 60) % 60)} min ${two(up % 60)} sec
Go version: ${process.version}
Binary version: ${version.gitVersion.replace(/^v/, '')}
Emulation version: ${version.major}.${version.minor}
Paths: ${paths().join(' ')}
`;
}

function flagText({ component, flags }: ZPagesFacts): string {
  const lines = Object.keys(flags)
    .sort()
    .map((name) => `${name}=${flags[name]}\n`);
  return `\n${component} flags\n${WARNING}\n\n${lines.join('')}`;
}
