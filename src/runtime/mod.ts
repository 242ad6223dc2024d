// SPDX-License-Identifier: Apache-2.0
// runtime: containers on a node behind one interface. `#runtime/embedded` runs them, `#runtime/simulated` only says so.
export * from './runtime.ts';
