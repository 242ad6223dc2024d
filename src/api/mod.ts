// SPDX-License-Identifier: Apache-2.0
// api: the types of Kubernetes 1.36. Generated interfaces per group and version (`#api/core/v1`), the resource constants,
// the run-time schema, and per group the rules that are not data: defaults, validation, conversion.
export { fromStorage, storageVersionOf, toStorage } from './conversion.ts';
export { defaultPodTemplate } from './core/pod-defaults.ts';
export { defaultsOf } from './defaults.ts';
export { descriptionOf } from './descriptions.ts';
export * from './generated/resources.ts';
export * from './quota/mod.ts';
export * from './scheme.ts';
export * from './validation/mod.ts';
