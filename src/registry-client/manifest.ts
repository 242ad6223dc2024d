// SPDX-License-Identifier: Apache-2.0
// The documents of the OCI image specification as read from registries and archives: index, manifest, config. Each decoder takes
// untrusted JSON and throws a `ManifestError` that names what is wrong.

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant: string | undefined } | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ImageConfig {
  readonly os: string;
  readonly architecture: string;
  readonly diffIds: readonly string[];
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type Document = { readonly index: readonly Descriptor[] } | { readonly manifest: Manifest };

/** Thrown for a document that is no image. */
export class ManifestError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ManifestError';
  }
}

export const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** An index or a manifest, told apart by content. @throws {ManifestError} */
export function decodeDocument(bytes: Uint8Array): Document {
  const value = object(parse(bytes), 'manifest');
  if (Array.isArray(value['manifests'])) return { index: value['manifests'].map((item) => descriptor(item, 'index entry')) };
  if (value['schemaVersion'] === 1) throw new ManifestError('manifest schema version 1 is not supported');
  if (!Array.isArray(value['layers'])) throw new ManifestError('manifest has neither layers nor manifests');
  return {
    manifest: { config: descriptor(value['config'], 'config'), layers: value['layers'].map((item) => descriptor(item, 'layer')) },
  };
}

/** @throws {ManifestError} */
export function decodeConfig(bytes: Uint8Array): ImageConfig {
  const value = object(parse(bytes), 'image config');
  const rootfs = object(value['rootfs'], 'rootfs of the image config');
  const config = value['config'] === undefined || value['config'] === null ? {} : object(value['config'], 'config of the image config');
  const diffIds = strings(rootfs['diff_ids'], 'diff_ids');
  for (const id of diffIds) if (!DIGEST.test(id)) throw new ManifestError(`invalid diff ID ${JSON.stringify(id)}`);
  return {
    os: text(value['os']),
    architecture: text(value['architecture']),
    diffIds,
    user: text(config['User']),
    env: strings(config['Env'], 'Env'),
    entrypoint: strings(config['Entrypoint'], 'Entrypoint'),
    cmd: strings(config['Cmd'], 'Cmd'),
    workingDir: text(config['WorkingDir']),
    stopSignal: text(config['StopSignal']),
    labels: stringMap(config['Labels']),
  };
}

/** The entry for this machine; attestations and other platforms are passed over. */
export function choosePlatform(index: readonly Descriptor[], architecture: string): Descriptor | undefined {
  const fits = index.filter(
    (item) => item.platform === undefined || (item.platform.os === 'linux' && item.platform.architecture === architecture),
  );
  return (
    fits.find((item) => item.platform?.variant === undefined || item.platform.variant === 'v8' || item.platform.variant === '') ?? fits[0]
  );
}

/** Node's name of an architecture in Go's words. */
export function goArchitecture(arch: string = process.arch): string {
  return { x64: 'amd64', ia32: '386' }[arch] ?? arch;
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw new ManifestError('manifest is no JSON');
  }
}

function descriptor(value: unknown, what: string): Descriptor {
  const item = object(value, what);
  const digest = text(item['digest']);
  if (!DIGEST.test(digest)) throw new ManifestError(`${what}: invalid digest ${JSON.stringify(digest)}`);
  const platform = item['platform'] === undefined ? undefined : object(item['platform'], 'platform');
  return {
    mediaType: text(item['mediaType']),
    digest,
    size: typeof item['size'] === 'number' ? item['size'] : 0,
    platform: platform && {
      os: text(platform['os']),
      architecture: text(platform['architecture']),
      variant: typeof platform['variant'] === 'string' ? platform['variant'] : undefined,
    },
    annotations: stringMap(item['annotations']),
  };
}

function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ManifestError(`${what} is no object`);
  return value as Record<string, unknown>;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function strings(value: unknown, what: string): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw new ManifestError(`${what} is no list of strings`);
  return value;
}

function stringMap(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
