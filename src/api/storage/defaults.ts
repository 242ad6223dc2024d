// SPDX-License-Identifier: Apache-2.0
// SetDefaults of storage.k8s.io/v1.
import { setPointer, structAt } from '../defaulting.ts';
import type { CSIDriver, StorageClass } from '../generated/storage/v1.ts';

export function defaultStorageClass(object: StorageClass): void {
  setPointer(object, 'reclaimPolicy', 'Delete');
  setPointer(object, 'volumeBindingMode', 'Immediate');
}

export function defaultCsiDriver(driver: CSIDriver): void {
  const spec = structAt(driver, 'spec');
  setPointer(spec, 'attachRequired', true);
  setPointer(spec, 'podInfoOnMount', false);
  setPointer(spec, 'storageCapacity', false);
  setPointer(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType');
  if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ['Persistent'];
  setPointer(spec, 'requiresRepublish', false);
  setPointer(spec, 'seLinuxMount', false);
}
