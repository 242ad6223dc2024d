// SPDX-License-Identifier: Apache-2.0
// What expressions of mutating policies have in addition: escaping of keys in the paths of JSON patches (library/jsonpatch.go).
import type { Library } from '../declarations.ts';

export const JSON_PATCH: Library = {
  'jsonpatch.escapeKey': [
    ['string_jsonpatch_escapeKey_string', '(string)->string', (key) => (key as string).replaceAll('~', '~0').replaceAll('/', '~1')],
  ],
};
