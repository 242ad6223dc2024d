// SPDX-License-Identifier: Apache-2.0
// registry-client: image references, the documents of the OCI image specification, and pulling from registries.
export * from './challenge.ts';
export * from './manifest.ts';
export * from './reference.ts';
export * from './registry.ts';
export * from './verify.ts';
