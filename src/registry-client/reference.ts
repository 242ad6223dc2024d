// SPDX-License-Identifier: Apache-2.0
// Image references as docker and containerd read them: `nginx` is `docker.io/library/nginx:latest`. Follows the grammar of the
// distribution project's `reference` package. Pure.

export interface ImageReference {
  /** Registry host with port: `docker.io`, `localhost:5000`. */
  readonly domain: string;
  /** `library/nginx` */
  readonly path: string;
  readonly tag: string | undefined;
  /** `sha256:…` */
  readonly digest: string | undefined;
}

/** Thrown for a reference that does not follow the grammar; kubelets show it as `InvalidImageName`. */
export class InvalidReferenceError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvalidReferenceError';
  }
}

const DOMAIN =
  /^(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?$/;
const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[\w][\w.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const IMAGE_ID = /^[a-f0-9]{64}$/;

/** Parses and normalises; the tag is `latest` where neither tag nor digest is given. @throws {InvalidReferenceError} */
export function parseReference(text: string): ImageReference {
  if (IMAGE_ID.test(text)) throw refuse(text, 'cannot specify 64-byte hexadecimal strings');
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !DIGEST.test(digest)) throw refuse(text, 'invalid reference format');
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) throw refuse(text, 'invalid reference format');
  const { domain, path } = splitDomain(hasTag ? named.slice(0, colon) : named);
  if (path !== path.toLowerCase()) throw refuse(text, 'invalid reference format: repository name must be lowercase');
  if (!DOMAIN.test(domain) || !PATH.test(path) || domain.length + path.length > 255) throw refuse(text, 'invalid reference format');
  return { domain, path, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isDomain = first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase();
  const domain = slash < 0 || !isDomain ? 'docker.io' : first === 'index.docker.io' ? 'docker.io' : first;
  const path = slash < 0 || !isDomain ? name : name.slice(slash + 1);
  return { domain, path: domain === 'docker.io' && !path.includes('/') ? `library/${path}` : path };
}

function refuse(text: string, why: string): InvalidReferenceError {
  return new InvalidReferenceError(`failed to parse image name "${text}": ${why}`);
}

/** `docker.io/library/nginx` */
export function repositoryOf(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The full form: `docker.io/library/nginx:latest`, with `@sha256:…` where one was given. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${repositoryOf(reference)}${tag}${digest}`;
}

/** `formatReference(parseReference(text))`. @throws {InvalidReferenceError} */
export function normalizeReference(text: string): string {
  return formatReference(parseReference(text));
}
