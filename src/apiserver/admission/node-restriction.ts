// SPDX-License-Identifier: Apache-2.0
// NodeRestriction: what a kubelet may write. Its own Node, without restricted labels and taints; mirror Pods on itself; status
// and deletion of Pods bound to it; tokens of the accounts of those Pods, for their audiences; claims' sizes; its own Lease, CSINode and certificates.
import { csidrivers, nodes, persistentvolumeclaims, persistentvolumes, pods } from '#api';
import type { TokenRequest } from '#api/authentication/v1';
import type { CertificateSigningRequest } from '#api/certificates/v1';
import type { Node, PersistentVolumeClaim, Pod } from '#api/core/v1';
import { type DeepReadonly, deepCopy, notFound, quote, semanticEqual } from '#machinery';
import { NODES_GROUP } from '../auth/user.ts';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, nameOf, refusal } from './match.ts';
import { mentions } from './pod-references.ts';
import { subjectOfRequest } from './request-subject.ts';

const USER_PREFIX = 'system:node:';
const MIRROR = 'kubernetes.io/config.mirror';
const RESTRICTED = 'node-restriction.kubernetes.io';
/** Labels of kubernetes.io and k8s.io that a kubelet may set on itself. */
const KUBELET_LABELS = new Set([
  'kubernetes.io/hostname',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'kubernetes.io/arch',
  'kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'node.kubernetes.io/windows-build',
]);
const KUBELET_SIGNERS = new Set(['kubernetes.io/kubelet-serving', 'kubernetes.io/kube-apiserver-client-kubelet']);
const KUBELET_NAMESPACES = ['kubelet.kubernetes.io', 'node.kubernetes.io'];
const asNode = (object: unknown) => object as Node;
const asPod = (object: unknown) => object as Pod;

function nodeNameOf({ user }: AdmissionRequest): string | undefined {
  if (!user.groups.includes(NODES_GROUP) || !user.name.startsWith(USER_PREFIX)) return undefined;
  return user.name.slice(USER_PREFIX.length);
}

function namespaceOf(key: string): string {
  return key.includes('/') ? (key.split('/')[0] ?? '') : '';
}

function isKubernetesLabel(key: string): boolean {
  const namespace = namespaceOf(key);
  return ['kubernetes.io', 'k8s.io'].some((domain) => namespace === domain || namespace.endsWith(`.${domain}`));
}

function isKubeletLabel(key: string): boolean {
  const namespace = namespaceOf(key);
  return KUBELET_LABELS.has(key) || KUBELET_NAMESPACES.some((allowed) => namespace === allowed || namespace.endsWith(`.${allowed}`));
}

function isRestricted(key: string): boolean {
  const namespace = namespaceOf(key);
  return namespace === RESTRICTED || namespace.endsWith(`.${RESTRICTED}`);
}

function admit(request: AdmissionRequest, deps: AdmissionDeps): void | Promise<void> {
  const node = nodeNameOf(request);
  if (node === undefined) return;
  if (node === '') throw refusal(request, `could not determine node from user ${quote(request.user.name)}`);
  const { group, resource } = request.resource;
  if (group === '' && resource === 'pods') admitPod(request, node, deps);
  else if (group === '' && resource === 'nodes') admitNode(request, node);
  else if (group === '' && resource === 'persistentvolumeclaims') admitClaim(request, node);
  else if (isFor(request, 'serviceaccounts/token')) return admitToken(request, node, deps);
  else if (group === 'coordination.k8s.io' && resource === 'leases') admitNamed(request, node, 'lease', 'kube-node-lease');
  else if (group === 'storage.k8s.io' && resource === 'csinodes') admitNamed(request, node, 'CSINode', '');
  else if (group === 'resource.k8s.io' && resource === 'resourceslices') admitSlice(request, node);
  else if (isFor(request, 'certificatesigningrequests', 'certificates.k8s.io')) admitSigningRequest(request, node);
}

function admitPod(request: AdmissionRequest, node: string, deps: AdmissionDeps): void {
  switch (request.subresource) {
    case '':
      if (request.operation === 'CREATE') admitPodCreate(request, node, deps);
      else admitPodDelete(request, node);
      return;
    case 'status':
      admitPodStatus(request, node);
      return;
    case 'eviction': {
      const pod = deps.reader.find(pods, { namespace: request.namespace, name: nameOf(request) });
      if (pod !== undefined && pod.spec.nodeName !== node) {
        throw refusal(request, `node ${node} can only evict pods with spec.nodeName set to itself`);
      }
      return;
    }
    default:
      throw refusal(request, `unexpected pod subresource "${request.subresource}", only 'status' and 'eviction' are allowed`);
  }
}

function admitPodCreate(request: AdmissionRequest, node: string, { reader }: AdmissionDeps): void {
  const pod = asPod(request.object);
  if (pod.metadata.annotations?.[MIRROR] === undefined) {
    throw refusal(request, `pod does not have "${MIRROR}" annotation, node "${node}" can only create mirror pods`);
  }
  if (pod.spec.nodeName !== node) throw refusal(request, `node "${node}" can only create pods with spec.nodeName set to itself`);
  const [owner, ...others] = pod.metadata.ownerReferences ?? [];
  if (owner === undefined) throw refusal(request, `node "${node}" can only create pods with an owner reference set to itself`);
  if (others.length > 0) throw refusal(request, `node "${node}" can only create pods with a single owner reference set to itself`);
  if (owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node) {
    throw refusal(request, `node "${node}" can only create pods with an owner reference set to itself`);
  }
  if (owner.controller !== true)
    throw refusal(request, `node "${node}" can only create pods with a controller owner reference set to itself`);
  if (owner.blockOwnerDeletion === true) throw refusal(request, `node "${node}" must not set blockOwnerDeletion on an owner reference`);
  const own = reader.find(nodes, { name: node });
  if (own === undefined) throw notFound(nodes, node);
  if (own.metadata.uid !== owner.uid) throw refusal(request, `node ${node} UID mismatch: expected ${owner.uid} got ${own.metadata.uid}`);
  const used = usedBy(pod);
  if (used !== undefined) throw refusal(request, `node "${node}" can not create pods that reference ${used}`);
}

/** The first kind of API object that a Pod uses. */
function usedBy({ spec }: Pod): string | undefined {
  if (spec.serviceAccountName) return 'a service account';
  if (mentions(spec, 'secret')) return 'secrets';
  if (mentions(spec, 'configMap')) return 'configmaps';
  const volumes = spec.volumes ?? [];
  if (volumes.some(({ projected }) => projected?.sources?.some(({ clusterTrustBundle }) => clusterTrustBundle)))
    return 'clustertrustbundles';
  if (volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim)) return 'persistentvolumeclaims';
  return (spec.resourceClaims ?? []).length > 0 ? 'resourceclaims' : undefined;
}

function admitPodDelete(request: AdmissionRequest, node: string): void {
  if (request.operation !== 'DELETE')
    throw refusal(request, `unexpected operation "${request.operation}", node "${node}" can only create and delete mirror pods`);
  const pod = asPod(request.oldObject);
  if (pod !== undefined && pod.spec.nodeName !== node) {
    throw refusal(request, `node "${node}" can only delete pods with spec.nodeName set to itself`);
  }
}

function admitPodStatus(request: AdmissionRequest, node: string): void {
  if (request.operation !== 'UPDATE') throw refusal(request, `unexpected operation "${request.operation}"`);
  const [pod, old] = [asPod(request.object), asPod(request.oldObject)];
  if (old.spec.nodeName !== node)
    throw refusal(request, `node "${node}" can only update pod status for pods with spec.nodeName set to itself`);
  if (!semanticEqual(old.metadata.labels, pod.metadata.labels))
    throw refusal(request, `node "${node}" cannot update labels through pod status`);
  if (!semanticEqual(old.status?.resourceClaimStatuses, pod.status?.resourceClaimStatuses)) {
    throw refusal(request, `node "${node}" cannot update resource claim statues`);
  }
}

function admitNode(request: AdmissionRequest, self: string): void {
  const name = nameOf(request);
  if (name !== self) throw refusal(request, `node "${self}" is not allowed to modify node "${name}"`);
  const node = asNode(request.object);
  if (request.operation === 'CREATE') {
    if (node.spec?.configSource) throw refusal(request, `node "${self}" is not allowed to create pods with a non-nil configSource`);
    const wrong = Object.keys(node.metadata.labels ?? {}).filter(isForbiddenLabel);
    if (wrong.length > 0) throw refusal(request, `node "${self}" is not allowed to set the following labels: ${wrong.sort().join(', ')}`);
    return;
  }
  if (request.operation !== 'UPDATE') return;
  const old = asNode(request.oldObject);
  if (!semanticEqual(node.metadata.ownerReferences, old.metadata.ownerReferences)) {
    throw refusal(request, `node "${self}" is not allowed to modify ownerReferences`);
  }
  if (node.spec?.configSource && !semanticEqual(node.spec.configSource, old.spec?.configSource)) {
    throw refusal(request, `node "${self}" is not allowed to update configSource to a new non-nil configSource`);
  }
  if (!semanticEqual(node.spec?.taints, old.spec?.taints)) throw refusal(request, `node "${self}" is not allowed to modify taints`);
  const changed = changedLabels(node.metadata.labels ?? {}, old.metadata.labels ?? {});
  const wrong = changed.filter(isForbiddenLabel);
  if (wrong.length > 0) throw refusal(request, `is not allowed to modify labels: ${wrong.sort().join(', ')}`);
}

const isForbiddenLabel = (key: string) => isRestricted(key) || (isKubernetesLabel(key) && !isKubeletLabel(key));

function changedLabels(next: Readonly<Record<string, string>>, old: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(next), ...Object.keys(old)])].filter((key) => next[key] !== old[key]);
}

/** Only what an expansion on the node changes: capacity and conditions. */
function admitClaim(request: AdmissionRequest, node: string): void {
  if (request.subresource !== 'status') throw refusal(request, `may only update PVC status`);
  const strip = (object: unknown) => {
    const claim = deepCopy(object) as PersistentVolumeClaim;
    const {
      capacity: _capacity,
      conditions: _conditions,
      allocatedResourceStatuses: _statuses,
      allocatedResources: _resources,
      ...status
    } = claim.status ?? {};
    const { managedFields: _fields, resourceVersion: _version, ...metadata } = claim.metadata;
    return { ...claim, metadata, status };
  };
  if (!semanticEqual(strip(request.object), strip(request.oldObject))) {
    throw refusal(request, `node "${node}" is not allowed to update fields other than status.quantity and status.conditions`);
  }
}

async function admitToken(request: AdmissionRequest, node: string, deps: AdmissionDeps): Promise<void> {
  const { spec } = request.object as unknown as TokenRequest;
  const ref = spec.boundObjectRef;
  if (ref === undefined || ref === null || ref.apiVersion !== 'v1' || ref.kind !== 'Pod' || !ref.name) {
    throw refusal(request, 'node requested token not bound to a pod');
  }
  if (!ref.uid) throw refusal(request, 'node requested token with a pod binding without a uid');
  const pod = deps.reader.find(pods, { namespace: request.namespace, name: ref.name });
  if (pod === undefined) throw notFound(pods, ref.name);
  if (pod.metadata.uid !== ref.uid)
    throw refusal(
      request,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (pod.spec.nodeName !== node) throw refusal(request, 'node requested token bound to a pod scheduled on a different node');
  await admitAudience(request, spec.audiences ?? [], pod, deps);
}

/** A kubelet gets tokens for whom its Pods have them: volumes with tokens, CSI drivers that ask for some, or what a rule allows. */
async function admitAudience(
  request: AdmissionRequest,
  audiences: readonly string[],
  pod: DeepReadonly<Pod>,
  deps: AdmissionDeps,
): Promise<void> {
  if (audiences.length > 1) throw refusal(request, 'node may only request 0 or 1 audiences');
  const [audience = ''] = audiences;
  if (isAudienceOf(pod, audience, deps)) return;
  const { user, namespace } = request;
  const verb = 'request-serviceaccounts-token-audience';
  const name = nameOf(request);
  if (await deps.authorize(user, { verb, group: '', version: 'v1', resource: audience, subresource: '', namespace, name })) return;
  const why = `audience ${quote(audience)} not found in pod spec volume, ${user.name} is not authorized to request tokens for this audience`;
  throw refusal(request, why);
}

function isAudienceOf({ metadata, spec }: DeepReadonly<Pod>, audience: string, { reader }: AdmissionDeps): boolean {
  const { namespace = '' } = metadata;
  return (spec.volumes ?? []).some((volume) => {
    if (volume.projected?.sources?.some(({ serviceAccountToken: token }) => token && (token.audience ?? '') === audience)) return true;
    const claimName = volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${metadata.name}-${volume.name}` : undefined);
    const claim = claimName === undefined ? undefined : reader.find(persistentvolumeclaims, { namespace, name: claimName });
    const bound = claim?.spec.volumeName ? reader.find(persistentvolumes, { name: claim.spec.volumeName }) : undefined;
    const driver = volume.csi?.driver ?? bound?.spec.csi?.driver;
    const found = driver === undefined ? undefined : reader.find(csidrivers, { name: driver });
    return found?.spec.tokenRequests?.some((wanted) => wanted.audience === audience) === true;
  });
}

function admitNamed(request: AdmissionRequest, node: string, what: string, namespace: string): void {
  if (namespace !== '' && request.namespace !== namespace)
    throw refusal(request, `can only access ${what}s in the "${namespace}" system namespace`);
  if (nameOf(request) !== node) {
    const why =
      what === 'lease'
        ? `can only access node lease with the same name as the requesting node`
        : `can only access ${what} with the same name as the requesting node`;
    throw refusal(request, why);
  }
}

/** Whose slice an update concerns is the authorizer's matter. */
function admitSlice(request: AdmissionRequest, node: string): void {
  const verb = request.operation === 'CREATE' ? 'create' : request.operation === 'DELETE' ? 'delete' : undefined;
  const slice = (request.object ?? request.oldObject) as unknown as { spec: { nodeName?: string } } | undefined;
  if (verb === undefined || slice === undefined || slice.spec.nodeName === node) return;
  throw refusal(request, `can only ${verb} ResourceSlice with the same NodeName as the requesting node`);
}

/** A kubelet asks for certificates of its own only. */
function admitSigningRequest(request: AdmissionRequest, node: string): void {
  if (request.operation !== 'CREATE') return;
  const { signerName, request: base64 } = (request.object as unknown as CertificateSigningRequest).spec;
  if (!KUBELET_SIGNERS.has(signerName)) return;
  let commonName: string;
  try {
    ({ commonName } = subjectOfRequest(Buffer.from(base64, 'base64').toString()));
  } catch (error) {
    throw refusal(request, `unable to parse csr: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (commonName !== `${USER_PREFIX}${node}`) throw refusal(request, `can only create a node CSR with CN=${USER_PREFIX}${node}`);
}

export const nodeRestriction: AdmissionPlugin = {
  name: 'NodeRestriction',
  handles: (request) => request.operation !== 'CONNECT' && nodeNameOf(request) !== undefined,
  admit,
};
