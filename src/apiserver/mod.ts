// SPDX-License-Identifier: Apache-2.0
// apiserver: the hub. Stores, checks and hands out every object; everything else talks through it. ARCHITECTURE.md tells the
// life of a write; filters/chain.ts and admission/chain.ts are the two places where order matters.

export { AUTHENTICATED_GROUP, MASTERS_GROUP, type UserInfo } from './auth/user.ts';
export { apiServerOptions, checkApiServerArgs, runApiServerCommand } from './command.ts';
export { ApiServer } from './server.ts';
export type { ApiServerOptions } from './server-options.ts';
