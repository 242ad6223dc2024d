// SPDX-License-Identifier: Apache-2.0
// The file of `--encryption-provider-config`: kind `EncryptionConfiguration` (apiserver.config.k8s.io/v1), read and checked.
// The provider `kms` is refused: plugins that hold keys elsewhere cannot be called here.
// @source upstream apiserver pkg/server/options/encryptionconfig/config.go, pkg/apis/apiserver/validation
import { parse } from 'yaml';
import { PrefixTransformers } from './prefix-transformers.ts';
import { aesCbc, aesGcm, identity, secretBox, type Transformer } from './transformer.ts';

interface Key {
  readonly name?: string;
  readonly secret?: string;
}

interface Provider {
  readonly aesgcm?: { readonly keys?: readonly Key[] };
  readonly aescbc?: { readonly keys?: readonly Key[] };
  readonly secretbox?: { readonly keys?: readonly Key[] };
  readonly identity?: object | null;
  readonly kms?: object;
}

interface ResourceEntry {
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
const SIZES: Readonly<Record<keyof typeof MAKERS, readonly number[]>> = { aescbc: [16, 24, 32], aesgcm: [16, 24, 32], secretbox: [32] };
const KINDS = Object.keys(MAKERS) as (keyof typeof MAKERS)[];

/** @throws {EncryptionConfigurationError} */
export function parseEncryptionConfiguration(text: string): EncryptionRules {
  let configuration: Configuration | null;
  try {
    configuration = parse(text, { logLevel: 'error' }) as Configuration | null;
  } catch (error) {
    throw new EncryptionConfigurationError(`error decoding encryption provider configuration file: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const { kind, apiVersion, resources } = configuration ?? {};
  if (kind !== 'EncryptionConfiguration' || apiVersion !== 'apiserver.config.k8s.io/v1')
    throw new EncryptionConfigurationError(
      'error decoding encryption provider configuration file: want an object of kind "EncryptionConfiguration" in version "apiserver.config.k8s.io/v1"',
    );
  if (!Array.isArray(resources) || resources.length === 0)
    throw refused('resources', 'Required value: at least one resource and provider must be configured');
  if (!hasShape(resources)) throw refused('resources', 'Invalid value: a field is not of the type that it must have');
  const rules = (resources as readonly ResourceEntry[]).flatMap((entry, index) => rulesOf(entry, `resources[${index}]`));
  refuseRepeats(rules.map(({ resource }) => resource));
  return rules;
}

/** Whether what is given is of the types that the rules below rely on. */
function hasShape(entries: readonly unknown[]): boolean {
  const isRecord = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const isKey = (key: unknown) =>
    isRecord(key) && ['name', 'secret'].every((field) => key[field] === undefined || typeof key[field] === 'string');
  const isProvider = (provider: unknown) =>
    isRecord(provider) &&
    KINDS.every((kind) => {
      const found = provider[kind];
      if (found === undefined) return true;
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

function refused(field: string, why: string): EncryptionConfigurationError {
  return new EncryptionConfigurationError(`${field}: ${why}`);
}

function rulesOf({ resources = [], providers = [] }: ResourceEntry, at: string): EncryptionRules {
  if (resources.length === 0) throw refused(`${at}.resources`, 'Required value: at least one resource must be configured');
  if (providers.length === 0) throw refused(`${at}.providers`, 'Required value: at least one provider must be configured');
  for (const [index, resource] of resources.entries()) checkResource(resource, `${at}.resources[${index}]`);
  const transformers = new PrefixTransformers(
    providers.flatMap((provider, index) => transformersOf(provider, `${at}.providers[${index}]`)),
  );
  return resources.map((resource) => ({ resource, transformers }));
}

function checkResource(resource: string, at: string): void {
  const refuse = (why: string) => refused(at, `Invalid value: ${JSON.stringify(resource)}: ${why}`);
  if (resource === '*') throw refuse("use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources");
  if (resource.includes('/')) throw refuse('subresources are not supported');
  if (resource !== resource.toLowerCase()) throw refuse('resource name should not contain capital letters');
  if (resource.slice(1).includes('*') && resource !== '*.*') throw refuse('a wildcard stands for a whole resource or group');
  if (resource === 'apiserveripinfo' || resource.endsWith('.serviceipallocations')) throw refuse('resource cannot be encrypted');
}

function refuseRepeats(resources: readonly string[]): void {
  const seen = new Set<string>();
  for (const resource of resources) {
    if (seen.has(resource)) throw refused('resources', `Invalid value: ${JSON.stringify(resource)}: the resource is listed twice`);
    const masked = [...seen].find((earlier) => covers(earlier, resource));
    if (masked !== undefined)
      throw refused('resources', `Invalid value: ${JSON.stringify(resource)}: masked by earlier rule ${JSON.stringify(masked)}`);
    seen.add(resource);
  }
}

/** Whether a rule takes in a group resource or a narrower rule. */
export function covers(rule: string, resource: string): boolean {
  if (rule === resource || rule === '*.*') return true;
  if (!rule.startsWith('*.')) return false;
  const dot = resource.indexOf('.');
  return (dot < 0 ? '' : resource.slice(dot + 1)) === rule.slice(2);
}

function transformersOf(provider: Provider, at: string): readonly Transformer[] {
  if ('kms' in provider)
    throw refused(
      `${at}.kms`,
      "Forbidden: the provider kms is not implemented by sagong's kube-apiserver: use aescbc, aesgcm, secretbox or identity",
    );
  const named = Object.keys(provider ?? {});
  if (named.length === 0)
    throw refused(at, 'Required value: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity');
  if (named.length > 1)
    throw refused(at, 'Invalid value: more than one provider specified in a single element, should split into different list elements');
  if (named[0] === 'identity') return [identity];
  const kind = KINDS.find((one) => one === named[0]);
  if (kind === undefined) throw refused(at, `Invalid value: unknown provider ${JSON.stringify(named[0])}`);
  const keys = provider[kind]?.keys ?? [];
  if (keys.length === 0) throw refused(`${at}.${kind}.keys`, 'Required value: at least one key must be configured');
  return keys.map((key, index) => MAKERS[kind](...checkKey(key, kind, `${at}.${kind}.keys[${index}]`)));
}

function checkKey({ name = '', secret = '' }: Key, kind: keyof typeof MAKERS, at: string): readonly [string, Uint8Array] {
  if (name === '') throw refused(`${at}.name`, 'Required value: key must have a name');
  if (secret === '') throw refused(`${at}.secret`, 'Required value: key must have a secret');
  if (name.includes(':')) throw refused(`${at}.name`, 'Invalid value: a name must not contain a colon');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(secret)) throw refused(`${at}.secret`, 'Invalid value: "REDACTED": secrets must be base64 encoded');
  const bytes = Buffer.from(secret, 'base64');
  if (!SIZES[kind].includes(bytes.length))
    throw refused(
      `${at}.secret`,
      `Invalid value: "REDACTED": secret is not of the expected length, got ${bytes.length}, expected one of [${SIZES[kind].join(' ')}]`,
    );
  return [name, bytes];
}
