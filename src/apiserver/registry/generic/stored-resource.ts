// SPDX-License-Identifier: Apache-2.0
// The way back from a storage key to what is stored under it. @source keys.ts
import { RESOURCES } from '#api';
import { prefixOf } from './keys.ts';

export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

const ROOT = '/registry/';
const BUILT_IN = new Map<string, GroupResource>(
  RESOURCES.map((resource) => [prefixOf(resource), { group: resource.group, resource: resource.resource }]),
);

/** `secrets/`, `services/specs/`, `example.com/things/`: the part of a key that tells its resource. */
export function resourcePrefix(key: string): string {
  const [first = '', second = ''] = key.slice(ROOT.length).split('/', 2);
  const short = `${first}/`;
  return BUILT_IN.has(`${short}${second}/`) || !BUILT_IN.has(short) ? `${short}${second}/` : short;
}

/** What is stored under such a part. */
export function storedResource(prefix: string): GroupResource {
  const builtIn = BUILT_IN.get(prefix);
  if (builtIn !== undefined) return builtIn;
  const [group = '', resource = ''] = prefix.split('/');
  return { group, resource };
}
