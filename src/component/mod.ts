// SPDX-License-Identifier: Apache-2.0
// component: what every long-running part needs and none owns: clock, logs, metrics, flags, background tasks.
// Certificates are in `#component/pki`, apart, because their library is heavy and few need it.
export * from './clock.ts';
export * from './command.ts';
export * from './fake-clock.ts';
export * from './flags.ts';
export * from './follow-file.ts';
export * from './logging.ts';
export * from './metrics.ts';
export * from './quiet-memory.ts';
export * from './signing-key.ts';
