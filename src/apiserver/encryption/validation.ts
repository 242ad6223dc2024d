// SPDX-License-Identifier: Apache-2.0
// What an EncryptionConfiguration must look like. The provider `kms` is refused: plugins that hold keys elsewhere cannot be called.
// @source upstream apiserver pkg/apis/apiserver/validation/validation_encryption.go
import { type FieldCause, type FieldPath, field, forbiddenField, invalidValue, required } from '#machinery';
import type { Key, Provider, ResourceEntry } from './configuration.ts';

const AES_SIZES = [16, 24, 32];
const SIZES = { aesgcm: AES_SIZES, aescbc: AES_SIZES, secretbox: [32] } as const;
export const PROVIDER_KINDS = Object.keys(SIZES) as (keyof typeof SIZES)[];

export function configurationCauses(entries: readonly ResourceEntry[]): FieldCause[] {
  const root = field('resources');
  if (entries.length === 0) return [required(root, `at least one ${root} is required`)];
  return entries.flatMap(({ resources = [], providers = [] }, index) => {
    const names = root.index(index).child('resources');
    const at = root.index(index).child('providers');
    return [
      ...(resources.length === 0 ? [required(names, `at least one ${names} is required`)] : []),
      ...overlapCauses(resources, names),
      ...resources.flatMap((name, place) => nameCauses(name, names.index(place))),
      ...(providers.length === 0 ? [required(at, `at least one ${at} is required`)] : []),
      ...providers.flatMap((provider, place) => providerCauses(provider, at.index(place))),
    ];
  });
}

export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/** `pods` is of the core group, `*.` all of it. */
export function parseGroupResource(text: string): GroupResource {
  const dot = text.indexOf('.');
  return dot < 0 ? { group: '', resource: text } : { group: text.slice(dot + 1), resource: text.slice(0, dot) };
}

function overlapCauses(resources: readonly string[], path: FieldPath): FieldCause[] {
  const parsed = resources.map(parseGroupResource);
  const isRepeated = new Set(parsed.map(({ group, resource }) => `${resource}.${group}`)).size < parsed.length;
  const overlaps = parsed.some((one, index) => parsed.some((other, place) => index !== place && covers(one, other)));
  return [
    ...(isRepeated ? [invalidValue(path, resources, 'the same resource cannot be specified multiple times')] : []),
    ...(overlaps
      ? [
          invalidValue(
            path,
            resources,
            "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
          ),
        ]
      : []),
  ];
}

function covers(one: GroupResource, other: GroupResource): boolean {
  return one.resource === '*' && (one.group === '*' || one.group === other.group);
}

/** They are stored, and no API shows them. */
const INTERNAL: ReadonlySet<string> = new Set(['apiserveripinfo', 'serviceipallocations', 'servicenodeportallocations']);

function nameCauses(name: string, path: FieldPath): FieldCause[] {
  const why = nameProblem(name, parseGroupResource(name));
  return why === undefined ? [] : [invalidValue(path, name, why)];
}

function nameProblem(name: string, { group, resource }: GroupResource): string | undefined {
  if (name !== name.toLowerCase()) return 'resource name should not contain capital letters';
  if (name === '*') return "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources";
  if (INTERNAL.has(name)) return 'resources which do not have REST API/s cannot be encrypted';
  if (group === 'events.k8s.io')
    return "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file";
  if (group === 'extensions') return "'extensions' group has been removed and cannot be used for encryption";
  if (group === '*' && resource !== '*') return 'encrypting the same resource across groups is not supported';
  return undefined;
}

function providerCauses(provider: Provider, path: FieldPath): FieldCause[] {
  if ('kms' in provider) {
    const why = "the provider kms is not implemented by sagong's kube-apiserver: use aescbc, aesgcm, secretbox or identity";
    return [forbiddenField(path.child('kms'), why)];
  }
  const named = [...PROVIDER_KINDS, 'identity' as const].filter((kind) => provider[kind] !== undefined && provider[kind] !== null);
  const one = named.length === 1 ? [] : [invalidValue(path, shownProvider(provider), countProblem(named.length))];
  const kind = PROVIDER_KINDS.find((candidate) => provider[candidate] !== undefined && provider[candidate] !== null);
  if (kind === undefined) return one;
  return [...one, ...keysCauses(provider[kind]?.keys ?? [], path.child(kind).child('keys'), SIZES[kind])];
}

function countProblem(count: number): string {
  return count === 0
    ? 'provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity'
    : 'more than one provider specified in a single element, should split into different list elements';
}

/** As upstream's type is printed, without secrets. */
function shownProvider({ aesgcm, aescbc, secretbox, identity }: Provider): object {
  const shown = (keys: readonly Key[] | undefined) => ({ Keys: (keys ?? []).map(({ name = '' }) => ({ Name: name, Secret: 'REDACTED' })) });
  return {
    AESGCM: aesgcm ? shown(aesgcm.keys) : null,
    AESCBC: aescbc ? shown(aescbc.keys) : null,
    Secretbox: secretbox ? shown(secretbox.keys) : null,
    Identity: identity ? {} : null,
    KMS: null,
  };
}

function keysCauses(keys: readonly Key[], path: FieldPath, sizes: readonly number[]): FieldCause[] {
  if (keys.length === 0) return [required(path, 'at least one keys is required')];
  return keys.flatMap((key, index) => keyCauses(key, path.index(index), sizes));
}

function keyCauses({ name = '', secret = '' }: Key, path: FieldPath, sizes: readonly number[]): FieldCause[] {
  const unnamed = name === '' ? [required(path.child('name'), 'name is a mandatory field for a key')] : [];
  if (secret === '') return [...unnamed, required(path.child('secret'), 'secret is a mandatory field for a key')];
  const why = secretProblem(secret, sizes);
  return why === undefined ? unnamed : [...unnamed, invalidValue(path.child('secret'), 'REDACTED', why)];
}

function secretProblem(secret: string, sizes: readonly number[]): string | undefined {
  const text = secret.replaceAll(/[\r\n]/g, ''); // As Go's decoder, which skips them.
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return 'secrets must be base64 encoded';
  const { length } = Buffer.from(text, 'base64');
  return sizes.includes(length) ? undefined : `secret is not of the expected length, got ${length}, expected one of [${sizes.join(' ')}]`;
}
