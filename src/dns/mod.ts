// SPDX-License-Identifier: Apache-2.0
// dns: the cluster's DNS server. records.ts knows the names, forwarder.ts asks others, interface.ts gives it its address.
export { type ClusterDns, type ClusterDnsOptions, createClusterDns } from './cluster-dns.ts';
export { type Resolver, resolversOf } from './forwarder.ts';
export { createDnsInterface, DNS_INTERFACE, DNS_PROXY_NAME, removeDnsInterface } from './interface.ts';
