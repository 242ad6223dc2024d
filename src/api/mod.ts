// SPDX-License-Identifier: Apache-2.0
// api: the types of Kubernetes 1.36. Generated interfaces per group and version (`#api/core/v1`), the resource constants,
// the run-time schema, and per group the rules that are not data: defaults, validation, conversion, table columns.
export * from './generated/resources.ts';
export * from './scheme.ts';
