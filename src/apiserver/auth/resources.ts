// SPDX-License-Identifier: Apache-2.0
// The resources that authentication and authorization read.
export { nodes, pods, secrets, serviceaccounts as serviceAccounts } from '#api';
