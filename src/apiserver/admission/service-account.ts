// SPDX-License-Identifier: Apache-2.0
// ServiceAccount: every Pod runs as one, gets its token at the well-known path, and its image pull secrets.
import { serviceaccounts } from '#api';
import type { Container, Pod, ServiceAccount, Volume } from '#api/core/v1';
import { type DeepReadonly, randomSuffix } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isFor, isOperation, refusal } from './match.ts';
import { mentions } from './pod-references.ts';

const MIRROR = 'kubernetes.io/config.mirror';
const ENFORCE = 'kubernetes.io/enforce-mountable-secrets';
const VOLUME_PREFIX = 'kube-api-access-';
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
/** An hour and seven seconds: tells these tokens from those that ask for an hour. */
const TOKEN_SECONDS = 3607;
const MODE_0644 = 0o644;

const asPod = (request: AdmissionRequest) => request.object as unknown as Pod;
const isMirror = (pod: Pod) => pod.metadata.annotations?.[MIRROR] !== undefined;

function admit(request: AdmissionRequest, deps: AdmissionDeps): void {
  const pod = asPod(request);
  if (request.operation === 'UPDATE') return;
  if (!isMirror(pod)) fillIn(request, pod, deps);
  // What is forbidden is said before anybody asks whether the Pod is valid.
  validate(request, deps);
}

function fillIn(request: AdmissionRequest, pod: Pod, deps: AdmissionDeps): void {
  if (!pod.spec.serviceAccountName) pod.spec.serviceAccountName = 'default';
  pod.spec.serviceAccount = pod.spec.serviceAccountName;
  const account = accountOf(request, pod, deps);
  if (pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(pod);
  if ((pod.spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0) {
    pod.spec.imagePullSecrets = (account.imagePullSecrets ?? []).map(({ name = '' }) => ({ name }));
  }
}

function accountOf(request: AdmissionRequest, pod: Pod, { reader }: AdmissionDeps): DeepReadonly<ServiceAccount> {
  const name = pod.spec.serviceAccountName ?? '';
  const account = reader.find(serviceaccounts, { namespace: request.namespace, name });
  if (account !== undefined) return account;
  throw refusal(request, `error looking up service account ${request.namespace}/${name}: serviceaccount "${name}" not found`);
}

function mountToken(pod: Pod): void {
  const volumes = pod.spec.volumes ?? [];
  const existing = volumes.find(({ name }) => name.startsWith(VOLUME_PREFIX));
  let name = existing?.name ?? `${VOLUME_PREFIX}${randomSuffix()}`;
  while (existing === undefined && volumes.some((volume) => volume.name === name)) name = `${VOLUME_PREFIX}${randomSuffix()}`;
  let isUsed = false;
  for (const container of [...(pod.spec.initContainers ?? []), ...(pod.spec.containers ?? [])]) {
    if (container.volumeMounts?.some(({ mountPath }) => mountPath === MOUNT_PATH)) continue;
    container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath: MOUNT_PATH }];
    isUsed = true;
  }
  if (isUsed && existing === undefined) pod.spec.volumes = [...volumes, tokenVolume(name)];
}

function tokenVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
      defaultMode: MODE_0644,
    },
  };
}

function validate(request: AdmissionRequest, deps: AdmissionDeps): void {
  const pod = asPod(request);
  if (request.operation === 'UPDATE') {
    if ((pod.spec.ephemeralContainers ?? []).length > 0) limitEphemeral(request, pod, accountOf(request, pod, deps));
    return;
  }
  if (isMirror(pod)) {
    validateMirror(request, pod);
    return;
  }
  if (!pod.spec.serviceAccountName)
    throw refusal(request, `no service account specified for pod ${request.namespace}/${pod.metadata.name ?? ''}`);
  const account = accountOf(request, pod, deps);
  if (isEnforcing(account)) limitSecrets(request, pod, account);
}

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const isEnforcing = ({ metadata }: DeepReadonly<ServiceAccount>) => TRUE.has(metadata.annotations?.[ENFORCE] ?? '');

function limitEphemeral(request: AdmissionRequest, pod: Pod, account: DeepReadonly<ServiceAccount>): void {
  if (!isEnforcing(account)) return;
  limitContainers(request, account, 'ephemeral container', (pod.spec.ephemeralContainers ?? []) as readonly Container[]);
}

function validateMirror(request: AdmissionRequest, pod: Pod): void {
  if (pod.spec.serviceAccountName) throw refusal(request, 'a mirror pod may not reference service accounts');
  if (mentions(pod.spec, 'secret')) throw refusal(request, 'a mirror pod may not reference secrets');
  if (pod.spec.volumes?.some(({ projected }) => projected?.sources?.some(({ serviceAccountToken }) => serviceAccountToken))) {
    throw refusal(request, 'a mirror pod may not use ServiceAccountToken volume projections');
  }
}

function limitSecrets(request: AdmissionRequest, pod: Pod, account: DeepReadonly<ServiceAccount>): void {
  const known = new Set((account.secrets ?? []).map(({ name }) => name));
  const pulls = new Set((account.imagePullSecrets ?? []).map(({ name }) => name));
  const because = `is not allowed because service account ${account.metadata.name} does not reference that secret`;
  for (const { secret } of pod.spec.volumes ?? []) {
    if (secret && !known.has(secret.secretName)) throw refusal(request, `volume with secret.secretName="${secret.secretName}" ${because}`);
  }
  limitContainers(request, account, 'init container', pod.spec.initContainers ?? []);
  limitContainers(request, account, 'container', pod.spec.containers ?? []);
  for (const [index, { name }] of (pod.spec.imagePullSecrets ?? []).entries()) {
    if (pulls.has(name)) continue;
    const why = `is not allowed because service account ${account.metadata.name} does not reference that imagePullSecret`;
    throw refusal(request, `imagePullSecrets[${index}].name="${name}" ${why}`);
  }
}

function limitContainers(
  request: AdmissionRequest,
  account: DeepReadonly<ServiceAccount>,
  kind: string,
  containers: readonly Container[],
): void {
  const known = new Set((account.secrets ?? []).map(({ name }) => name));
  const because = `is not allowed because service account ${account.metadata.name} does not reference that secret`;
  for (const container of containers) {
    for (const { name, valueFrom } of container.env ?? []) {
      const secret = valueFrom?.secretKeyRef;
      if (secret && !known.has(secret.name)) {
        throw refusal(request, `${kind} ${container.name} with envVar ${name} referencing secret.secretName="${secret.name}" ${because}`);
      }
    }
    for (const { secretRef } of container.envFrom ?? []) {
      if (secretRef && !known.has(secretRef.name)) {
        throw refusal(request, `${kind} ${container.name} with envFrom referencing secret.secretName="${secretRef.name}" ${because}`);
      }
    }
  }
}

export const serviceAccount: AdmissionPlugin = {
  name: 'ServiceAccount',
  handles: (request) =>
    (isFor(request, 'pods') && isOperation(request, 'CREATE')) ||
    (isFor(request, 'pods/ephemeralcontainers') && isOperation(request, 'UPDATE')),
  admit,
  validate,
};
