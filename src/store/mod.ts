// SPDX-License-Identifier: Apache-2.0
// store: where the API server keeps its state. One contract with etcd's semantics; memory/ for tests, sqlite/ by default.
export { MemoryStore } from './memory/memory-store.ts';
export { SqliteStore, type SqliteStoreOptions } from './sqlite/sqlite-store.ts';
export * from './store.ts';
