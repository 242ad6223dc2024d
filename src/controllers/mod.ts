// SPDX-License-Identifier: Apache-2.0
// controllers: kube-controller-manager. One folder per controller, each `reconcile(key)` over shared caches; list.ts has them in
// start order, manager.ts runs them, command.ts takes upstream's flags.
export { runControllerManagerCommand } from './command.ts';
export type { SigningAuthority } from './context.ts';
export { type ControllerManagerOptions, runControllerManager } from './manager.ts';
