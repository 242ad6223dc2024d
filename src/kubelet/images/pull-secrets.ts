// SPDX-License-Identifier: Apache-2.0
// Registry credentials from `imagePullSecrets`, both docker config forms. Credential provider plugins are not supported.
// @source upstream pkg/credentialprovider
import type { Secret } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import type { RegistryAuth } from '#runtime';

/** The credentials whose registry matches the image, most specific first. Broken secrets give none. */
export function credentialsFor(image: string, pullSecrets: readonly DeepReadonly<Secret>[]): RegistryAuth[] {
  const found: { key: string; auth: RegistryAuth }[] = [];
  for (const secret of pullSecrets) {
    for (const [registry, entry] of Object.entries(entriesOf(secret))) {
      const key = normalise(registry);
      const auth = authOf(entry);
      if (auth !== undefined && matches(key, qualified(image))) found.push({ key, auth });
    }
  }
  return found.sort((a, b) => b.key.length - a.key.length).map(({ auth }) => auth);
}

function entriesOf(secret: DeepReadonly<Secret>): Record<string, unknown> {
  const modern = secret.data?.['.dockerconfigjson'];
  const old = secret.data?.['.dockercfg'];
  try {
    if (modern !== undefined) return record(record(parse(modern))['auths']);
    if (old !== undefined) return record(parse(old));
  } catch {
    // A secret that is no JSON has no credentials: the pull then fails with the registry's words.
  }
  return {};
}

const parse = (base64: string): unknown => JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
const record = (value: unknown) => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {});

function authOf(entry: unknown): RegistryAuth | undefined {
  const { auth, username, password } = record(entry);
  if (typeof username === 'string' && typeof password === 'string') return { username, password };
  if (typeof auth !== 'string') return undefined;
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function normalise(registry: string): string {
  const bare = registry
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/$/, '');
  return bare === 'index.docker.io' ? 'docker.io' : bare;
}

/** With the registry spelled out. */
function qualified(image: string): string {
  const first = image.split('/')[0] ?? '';
  const hasHost = image.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost');
  return hasHost ? image.replace(/^index\.docker\.io/, 'docker.io') : `docker.io/${image}`;
}

function matches(key: string, image: string): boolean {
  const [keyHost = '', ...keyPath] = key.split('/');
  const [imageHost = '', ...imagePath] = image.split('/');
  const keyParts = keyHost.split('.');
  const imageParts = imageHost.split('.');
  if (keyParts.length !== imageParts.length) return false;
  if (!keyParts.every((part, index) => globMatches(part, imageParts[index] ?? ''))) return false;
  return imagePath.join('/').startsWith(keyPath.join('/'));
}

function globMatches(glob: string, text: string): boolean {
  const pattern = glob.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${pattern.join('[^/]*')}$`).test(text);
}
