// SPDX-License-Identifier: Apache-2.0
// cluster: the tool that builds clusters. `up` and `down`, processes, certificates, nodes in network namespaces, and the
// processes' own insides: the control plane in one, kubelet, proxy and DNS of a node in another.
export { runClusterCommand } from './command.ts';
export { UserError } from './user-error.ts';
