// SPDX-License-Identifier: Apache-2.0
// Resources that tests of plugins need and this server does not serve.
import { certificatesigningrequests } from '#api';
import type { Resource } from '#machinery';

export function clustertrustbundlesOf(): Resource {
  const like = certificatesigningrequests as unknown as Resource;
  return { ...like, version: 'v1beta1', resource: 'clustertrustbundles', kind: 'ClusterTrustBundle' };
}
