// SPDX-License-Identifier: Apache-2.0
// network: Pods get their addresses here. CNI plugins by the CNI spec (cni/), routes between nodes.
export * from './network.ts';
