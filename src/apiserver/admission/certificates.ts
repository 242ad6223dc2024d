// SPDX-License-Identifier: Apache-2.0
// Plugins of certificates: who may approve and sign for a signer, and no signing for the group of masters.
import type { CertificateSigningRequest } from '#api/certificates/v1';
import { semanticEqual } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation, refusal } from './match.ts';
import { subjectOfRequest } from './request-subject.ts';

const GROUP = 'certificates.k8s.io';
const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
const MASTERS = 'system:masters';
const asRequest = (object: unknown) => object as CertificateSigningRequest;

/** By the signer's full name, or by its domain with `*`. */
async function maySign(request: AdmissionRequest, deps: AdmissionDeps, verb: string, signerName: string): Promise<boolean> {
  const domain = signerName.split('/')[0] ?? '';
  for (const name of [signerName, `${domain}/*`]) {
    const check = { verb, group: GROUP, version: '*', resource: 'signers', subresource: '', namespace: '', name };
    if (await deps.authorize(request.user, check)) return true;
  }
  return false;
}

export const certificateApproval: AdmissionPlugin = {
  name: 'CertificateApproval',
  handles: (request) => isFor(request, 'certificatesigningrequests/approval', GROUP) && isOperation(request, 'UPDATE'),
  async validate(request, deps) {
    const { signerName } = asRequest(request.oldObject).spec;
    if (await maySign(request, deps, 'approve', signerName)) return;
    throw refusal(request, `user not permitted to approve requests with signerName "${signerName}"`);
  },
};

export const certificateSigning: AdmissionPlugin = {
  name: 'CertificateSigning',
  handles: (request) => isFor(request, 'certificatesigningrequests/status', GROUP) && isOperation(request, 'UPDATE'),
  async validate(request, deps) {
    const [next, old] = [asRequest(request.object), asRequest(request.oldObject)];
    const isSame = next.status?.certificate === old.status?.certificate && semanticEqual(next.status?.conditions, old.status?.conditions);
    if (isSame || (await maySign(request, deps, 'sign', old.spec.signerName))) return;
    throw refusal(request, `user not permitted to sign requests with signerName "${old.spec.signerName}"`);
  },
};

/** Whether an update changes nothing but what the garbage collector and storage migration need to. */
function isUnchangedBundle(next: ClusterTrustBundle, old: ClusterTrustBundle): boolean {
  const rest = ({ metadata, spec }: ClusterTrustBundle) => ({ spec, labels: metadata.labels, annotations: metadata.annotations });
  return semanticEqual(rest(next), rest(old));
}

/** ClusterTrustBundleAttest: who publishes a signer's trust anchors must be allowed to `attest` for that signer. */
export const clusterTrustBundleAttest: AdmissionPlugin = {
  name: 'ClusterTrustBundleAttest',
  handles: (request) => isFor(request, 'clustertrustbundles', GROUP) && isOperation(request, 'CREATE', 'UPDATE'),
  async validate(request, deps) {
    const next = request.object as unknown as ClusterTrustBundle;
    const { signerName = '' } = next.spec;
    if (signerName === '') return;
    if (request.operation === 'UPDATE' && isUnchangedBundle(next, request.oldObject as unknown as ClusterTrustBundle)) return;
    if (await maySign(request, deps, 'attest', signerName)) return;
    throw refusal(request, `user not permitted to attest for signerName ${JSON.stringify(signerName)}`);
  },
};

interface ClusterTrustBundle {
  readonly metadata: { readonly labels?: unknown; readonly annotations?: unknown };
  readonly spec: { readonly signerName?: string };
}

export const certificateSubjectRestriction: AdmissionPlugin = {
  name: 'CertificateSubjectRestriction',
  handles: (request) => isFor(request, 'certificatesigningrequests', GROUP) && isOperation(request, 'CREATE'),
  validate(request) {
    const { spec } = asRequest(request.object);
    if (spec.signerName !== CLIENT_SIGNER || !organizationsOf(spec.request).includes(MASTERS)) return;
    throw refusal(request, `use of ${CLIENT_SIGNER} signer with system:masters group is not allowed`);
  },
};

/** The organisations that a request's subject names; none where it does not parse, which validation refuses. */
function organizationsOf(base64: string): readonly string[] {
  try {
    return subjectOfRequest(Buffer.from(base64, 'base64').toString()).organizations;
  } catch {
    return [];
  }
}
