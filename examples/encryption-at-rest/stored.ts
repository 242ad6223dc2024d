// SPDX-License-Identifier: Apache-2.0
// Shows how Secrets lie in the store: `node examples/encryption-at-rest/stored.ts STORE.db TEXT` prints for each its key, what sealed
// it, and whether TEXT (or its base64) can be read there. It reads the database beside the running server and changes nothing.
import { DatabaseSync } from 'node:sqlite';

const [file = '', text = ''] = process.argv.slice(2);
const LATEST = "SELECT kv.key, kv.value FROM live JOIN kv USING (revision) WHERE kv.key LIKE '/registry/secrets/%' ORDER BY kv.key";

using database = new DatabaseSync(file, { readOnly: true });
for (const row of database.prepare(LATEST).all()) {
  const value = Buffer.from(row['value'] as Uint8Array);
  const [seal = 'not encrypted'] = /^k8s:enc:\w+:v1:[^:]+:/.exec(value.toString('latin1')) ?? [];
  const isReadable = [text, Buffer.from(text).toString('base64')].some((form) => value.includes(form));
  console.log(`${row['key']}  ${seal}  ${isReadable ? 'can be read' : 'cannot be read'}`);
}
