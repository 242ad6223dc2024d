// SPDX-License-Identifier: Apache-2.0
// Plugins of storage: the default StorageClass, protection of claims and volumes in use, growth of claims.
import { storageclasses } from '#api';
import type { PersistentVolumeClaim } from '#api/core/v1';
import { compareQuantity, parseQuantity } from '#machinery';
import type { AdmissionPlugin } from './admission.ts';
import { isFor, isOperation, refusal } from './match.ts';

const IS_DEFAULT = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'] as const;
const CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

export const defaultStorageClass: AdmissionPlugin = {
  name: 'DefaultStorageClass',
  handles: (request) => isFor(request, 'persistentvolumeclaims') && isOperation(request, 'CREATE'),
  admit(request, { reader }) {
    const claim = request.object as unknown as PersistentVolumeClaim;
    if (claim.spec.storageClassName !== undefined && claim.spec.storageClassName !== null) return;
    if (claim.metadata.annotations?.[CLASS_ANNOTATION] !== undefined) return;
    const defaults = reader
      .list(storageclasses)
      .filter(({ metadata }) => IS_DEFAULT.some((name) => metadata.annotations?.[name] === 'true'));
    // The newest wins, by name among equals.
    const [first] = [...defaults].sort((a, b) => {
      const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
      return x === y ? ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1) : x > y ? -1 : 1;
    });
    if (first?.metadata.name !== undefined) claim.spec.storageClassName = first.metadata.name;
  },
};

const FINALIZERS: Readonly<Record<string, string>> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
  volumeattributesclasses: 'kubernetes.io/vac-protection',
};

export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  handles: (request) => request.subresource === '' && FINALIZERS[request.resource.resource] !== undefined && isOperation(request, 'CREATE'),
  admit(request) {
    const finalizer = FINALIZERS[request.resource.resource];
    const metadata = request.object?.metadata;
    if (finalizer === undefined || metadata === undefined || metadata.finalizers?.includes(finalizer)) return;
    metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
  },
};

/** The annotation that came before the field still goes before it. */
function classOf(claim: PersistentVolumeClaim | undefined): string {
  return claim?.metadata.annotations?.[CLASS_ANNOTATION] ?? claim?.spec.storageClassName ?? '';
}

export const persistentVolumeClaimResize: AdmissionPlugin = {
  name: 'PersistentVolumeClaimResize',
  handles: (request) => isFor(request, 'persistentvolumeclaims') && isOperation(request, 'UPDATE'),
  validate(request, { reader }) {
    const [next, old] = [request.object, request.oldObject].map((it) => it as unknown as PersistentVolumeClaim);
    const [size, before] = [next?.spec.resources?.requests?.['storage'], old?.spec.resources?.requests?.['storage']];
    if (size === undefined || before === undefined || compareQuantity(parseQuantity(size), parseQuantity(before)) <= 0) return;
    if (old?.status?.phase !== 'Bound') throw refusal(request, 'Only bound persistent volume claims can be expanded');
    const name = classOf(next);
    const found = name === '' || name !== classOf(old) ? undefined : reader.find(storageclasses, { name });
    if (found?.allowVolumeExpansion !== true) {
      throw refusal(
        request,
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      );
    }
  },
};
