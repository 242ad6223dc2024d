// SPDX-License-Identifier: Apache-2.0
// The embedded runtime: containers by conmon and runc or crun, root file systems by overlayfs, images pulled and unpacked here.
// Sandboxes pin their namespaces, so no pause container is needed; everything is found again after `kill -9` of this process.
// What Node cannot do is in native/sagong-node.c. Does not: checkpoint, user namespaces, AppArmor and SELinux labels.
export { createEmbeddedRuntime, type EmbeddedRuntime, type EmbeddedRuntimeOptions } from './embedded-runtime.ts';
export * from './images/mod.ts';
export { buildNativeProgram } from './native-program.ts';
