// SPDX-License-Identifier: Apache-2.0
// Reads pages at past revisions straight from the store, decoding each value; the cache knows only the present.
import { expired } from '#machinery';
import { CompactedError, FutureRevisionError, type Store } from '#store';
import type { PageReader } from '../../handlers/endpoint.ts';
import { tooLarge } from '../../handlers/get.ts';
import { CONTINUE_EXPIRED } from '../../handlers/list.ts';
import type { MutableObject } from '../strategy.ts';

export function createPageReader(store: Store, decode: (value: Uint8Array, key: string) => MutableObject): PageReader {
  return {
    async read(prefix, { revision, after, limit }) {
      try {
        const result = await store.range(`/registry/${prefix}`, {
          revision,
          limit,
          ...(after === '' ? {} : { after: `/registry/${after}` }),
        });
        const items = result.items.map((item) => {
          const object = decode(item.value, item.key);
          object.metadata.resourceVersion = String(item.modRevision);
          return { key: item.key.slice('/registry/'.length), revision: item.modRevision, object };
        });
        return { items, more: result.more, count: result.count };
      } catch (error) {
        if (error instanceof CompactedError)
          throw expired(after === '' ? `The resourceVersion for the provided list is too old.` : CONTINUE_EXPIRED);
        if (error instanceof FutureRevisionError) throw tooLarge(revision, error.current, 0);
        throw error;
      }
    },
  };
}
