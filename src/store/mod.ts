// SPDX-License-Identifier: Apache-2.0
// store: where the API server keeps its state. One contract with etcd's semantics; memory/ for tests, sqlite/ by default.
export * from './store.ts';
