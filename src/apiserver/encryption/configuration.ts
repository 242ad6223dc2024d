// SPDX-License-Identifier: Apache-2.0
// The file of `--encryption-provider-config`: kind `EncryptionConfiguration` (apiserver.config.k8s.io/v1), read and checked.
// @source upstream apiserver pkg/server/options/encryptionconfig/config.go, pkg/apis/apiserver/validation
import { parse } from 'yaml';
import { describeProblems } from '../auth/field-problems.ts';
import { PrefixTransformers } from './prefix-transformers.ts';
import { aesCbc, aesGcm, identity, secretBox, type Transformer } from './transformer.ts';
import { configurationCauses, PROVIDER_KINDS, parseGroupResource } from './validation.ts';

export interface Key {
  readonly name?: string;
  readonly secret?: string;
}

export interface Provider {
  readonly aesgcm?: { readonly keys?: readonly Key[] };
  readonly aescbc?: { readonly keys?: readonly Key[] };
  readonly secretbox?: { readonly keys?: readonly Key[] };
  readonly identity?: object | null;
  readonly kms?: object;
}

export interface ResourceEntry {
  readonly resources?: readonly string[];
  readonly providers?: readonly Provider[];
}

interface Configuration {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly resources?: readonly ResourceEntry[];
}

/** Thrown when a configuration cannot be used. */
export class EncryptionConfigurationError extends Error {}

/** Group resources (`secrets`, `deployments.apps`, `*.apps`, `*.`, `*.*`) with their keys, in order. */
export type EncryptionRules = readonly { readonly resource: string; readonly transformers: PrefixTransformers }[];

const MAKERS = { aescbc: aesCbc, aesgcm: aesGcm, secretbox: secretBox } as const;

/** @throws {EncryptionConfigurationError} */
export function parseEncryptionConfiguration(text: string): EncryptionRules {
  const entries = entriesOf(text);
  const causes = configurationCauses(entries);
  if (causes.length > 0) throw new EncryptionConfigurationError(describeProblems(causes));
  const byResource = new Map<string, readonly Transformer[]>();
  for (const { resources = [], providers = [] } of entries) {
    const transformers = providers.flatMap(transformersOf);
    for (const resource of resources) {
      refuseMasked(resource, byResource);
      byResource.set(resource, [...(byResource.get(resource) ?? []), ...transformers]);
    }
  }
  return [...byResource].map(([resource, transformers]) => ({ resource, transformers: new PrefixTransformers(transformers) }));
}

/** @throws {EncryptionConfigurationError} If the text is no configuration. */
function entriesOf(text: string): readonly ResourceEntry[] {
  let configuration: Configuration | null;
  try {
    configuration = parse(text, { logLevel: 'error' }) as Configuration | null;
  } catch (error) {
    throw undecodable((error as Error).message, error);
  }
  const { kind, apiVersion, resources = [] } = configuration ?? {};
  if (kind !== 'EncryptionConfiguration' || apiVersion !== 'apiserver.config.k8s.io/v1')
    throw undecodable('want an object of kind "EncryptionConfiguration" in version "apiserver.config.k8s.io/v1"');
  if (!Array.isArray(resources) || !hasShape(resources)) throw undecodable('a field is not of the type that it must have');
  return resources as readonly ResourceEntry[];
}

function undecodable(why: string, cause?: unknown): EncryptionConfigurationError {
  return new EncryptionConfigurationError(`error decoding encryption provider configuration file: ${why}`, { cause });
}

/** Whether what is given is of the types that the rules below rely on. */
function hasShape(entries: readonly unknown[]): boolean {
  const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const isKey = (key: unknown) =>
    isRecord(key) && ['name', 'secret'].every((field) => key[field] === undefined || typeof key[field] === 'string');
  const isProvider = (provider: unknown) =>
    isRecord(provider) &&
    PROVIDER_KINDS.every((kind) => {
      const found = provider[kind];
      if (found === undefined || found === null) return true;
      return isRecord(found) && (found['keys'] === undefined || (Array.isArray(found['keys']) && found['keys'].every(isKey)));
    });
  return entries.every((entry) => {
    if (!isRecord(entry)) return false;
    const { resources = [], providers = [] } = entry;
    return (
      Array.isArray(resources) &&
      resources.every((name) => typeof name === 'string') &&
      Array.isArray(providers) &&
      providers.every(isProvider)
    );
  });
}

/** Whether a rule takes in a group resource or a narrower rule. */
export function covers(rule: string, resource: string): boolean {
  if (rule === resource || rule === '*.*') return true;
  if (!rule.startsWith('*.')) return false;
  const dot = resource.indexOf('.');
  return (dot < 0 ? '' : resource.slice(dot + 1)) === rule.slice(2);
}

/** An earlier rule for more would always win. @throws {EncryptionConfigurationError} */
function refuseMasked(resource: string, earlier: ReadonlyMap<string, unknown>): void {
  const all = parseGroupResource(resource).group;
  const masking = [all === '' ? '*.' : `*.${all}`, '*.*'].find((rule) => earlier.has(rule));
  if (masking === undefined) return;
  throw new EncryptionConfigurationError(`resource ${JSON.stringify(resource)} is masked by earlier rule ${JSON.stringify(masking)}`);
}

function transformersOf(provider: Provider): readonly Transformer[] {
  const kind = PROVIDER_KINDS.find((one) => provider[one] !== undefined && provider[one] !== null);
  if (kind === undefined) return [identity];
  return (provider[kind]?.keys ?? []).map(({ name = '', secret = '' }) => MAKERS[kind](name, Buffer.from(secret, 'base64')));
}
