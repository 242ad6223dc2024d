// SPDX-License-Identifier: Apache-2.0
// network: Pods get their addresses here. CNI plugins by the CNI spec (cni/), routes between nodes.
export { type CniNetwork, type CniNetworkOptions, createCniNetwork } from './cni/cni-network.ts';
export { type ConfList, loadConfList } from './cni/conflist.ts';
export { DEFAULT_CONFLIST_FILE, type DefaultNetwork, defaultConfList, writeDefaultConfList } from './cni/default-conflist.ts';
export { CniError } from './cni/plugin.ts';
export * from './network.ts';
export { type NodeNetworkOptions, prepareNodeNetwork, removeNodeNetwork } from './node-network.ts';
export { type NodeRoutesOptions, runNodeRoutes } from './routes.ts';
