// SPDX-License-Identifier: Apache-2.0
// proxy: kube-proxy in nftables mode. service-map.ts plans, nftables/ says it in rules, kube-proxy.ts keeps the node equal.
export { createKubeProxy, type KubeProxy, type KubeProxyOptions, removeProxyRules } from './kube-proxy.ts';
export { planServices, type ServicePort } from './service-map.ts';
