// SPDX-License-Identifier: Apache-2.0
// The stored form of resources that a configuration encrypts: plain bytes sealed on the way in, opened on the way out. It knows of
// each object by which key its bytes are, so that an update that changes nothing still brings it under the newest key.
import type { DeepReadonly } from '#machinery';
import { resourcePrefix, storedResource } from '../registry/generic/stored-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import type { StoredForm } from '../storage.ts';
import type { Encryption, ResourceEncryption } from './encryption.ts';

export function encryptedForm(plain: StoredForm, encryption: Encryption): StoredForm {
  const doors = new Map<string, ResourceEncryption | undefined>();
  const doorOf = (key: string) => {
    const prefix = resourcePrefix(key);
    if (!doors.has(prefix)) {
      const { group, resource } = storedResource(prefix);
      doors.set(prefix, encryption.of(group, resource));
    }
    return doors.get(prefix);
  };
  /** By which key an object's bytes are; only for resources that have a door. */
  const sealedBy = new WeakMap<object, { readonly door: ResourceEncryption; readonly seal: string }>();
  return {
    encode(object, key, text) {
      const bytes = plain.encode(object, key, text);
      const door = doorOf(key);
      if (door === undefined) return bytes;
      sealedBy.set(object, { door, seal: door.writer });
      return door.seal(bytes, key);
    },
    decode(value, key) {
      const door = doorOf(key);
      if (door === undefined) return plain.decode(value, key);
      const { plain: bytes, seal } = door.open(value, key);
      const object = plain.decode(bytes, key);
      sealedBy.set(object, { door, seal });
      return object;
    },
    isStale(object: DeepReadonly<MutableObject>) {
      const known = sealedBy.get(object);
      return known !== undefined && known.seal !== known.door.writer;
    },
  };
}
