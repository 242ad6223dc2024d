// SPDX-License-Identifier: Apache-2.0
// The protection controllers of claims, volumes and volume attribute classes: each object of these kinds bears a finalizer, which is
// taken away when it is deleted and nothing uses it any more (upstream's pkg/controller/volume/pvcprotection, pvprotection and
// vacprotection).
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '#api/core/v1';
import { persistentvolumeclaims, persistentvolumes, pods, volumeattributesclasses } from '#api/resources';
import type { VolumeAttributesClass } from '#api/storage/v1';
import { DONE, type Informer } from '#client';
import { type DeepReadonly, isNotFound, type KubeObject, keyOf, type Resource } from '#machinery';
import { type ControllerContext, type ControllerEntry, KeyQueue } from '../context.ts';

interface Protection<T extends KubeObject> {
  readonly name: string;
  readonly resource: Resource<T>;
  readonly finalizer: string;
  /** Called once, with what adds the key of an object whose use may have ended. */
  readonly isUsed: (informers: ControllerContext['informers'], look: (key: string) => void) => (object: DeepReadonly<T>) => boolean;
}

function protect<T extends KubeObject>({ name, resource, finalizer, isUsed }: Protection<T>): ControllerEntry['create'] {
  return (context) => {
    const { client, informers } = context;
    const all = informers.informer(resource);
    const work = new KeyQueue(context, name);
    work.follow(all);
    const used = isUsed(informers, (key) => work.addKey(key));
    return work.run({
      async reconcile(key) {
        const object = all.lister.find(key);
        if (object === undefined) return DONE;
        const { finalizers = [], deletionTimestamp } = object.metadata;
        const has = finalizers.includes(finalizer);
        if (has !== (deletionTimestamp === undefined) && !(has && used(object))) {
          const next = has ? finalizers.filter((other) => other !== finalizer) : [...finalizers, finalizer];
          if (has || deletionTimestamp === undefined) await write(object, next);
        }
        return DONE;
      },
    });

    async function write(object: DeepReadonly<T>, finalizers: readonly string[]): Promise<void> {
      try {
        await client.update(resource, { ...object, metadata: { ...object.metadata, finalizers } });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  };
}

const CLAIM = 'claim';

/** Keys of the claims that a Pod uses, its ephemeral volumes' among them. */
export function claimKeysOf({ metadata, spec }: DeepReadonly<Pod>): string[] {
  const { namespace } = metadata;
  return (spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return keyOf({ namespace, name: persistentVolumeClaim.claimName });
    return ephemeral === undefined ? [] : keyOf({ namespace, name: `${metadata.name}-${name}` });
  });
}

export const claimProtection: ControllerEntry = {
  name: 'persistentvolumeclaim-protection-controller',
  account: 'pvc-protection-controller',
  create: protect<PersistentVolumeClaim>({
    name: 'persistentvolumeclaim-protection-controller',
    resource: persistentvolumeclaims,
    finalizer: 'kubernetes.io/pvc-protection',
    isUsed(informers, look) {
      const all = informers.informer(pods);
      all.addIndex(CLAIM, claimKeysOf);
      all.addHandler({ delete: (pod) => claimKeysOf(pod).forEach(look) });
      // A Pod that is on no node cannot start any more: kubelets refuse claims that are going.
      return ({ metadata }) => all.lister.byIndex(CLAIM, keyOf(metadata)).some(({ spec }) => Boolean(spec.nodeName));
    },
  }),
};

export const volumeProtection: ControllerEntry = {
  name: 'persistentvolume-protection-controller',
  account: 'pv-protection-controller',
  create: protect<PersistentVolume>({
    name: 'persistentvolume-protection-controller',
    resource: persistentvolumes,
    finalizer: 'kubernetes.io/pv-protection',
    isUsed:
      () =>
      ({ status }) =>
        status?.phase === 'Bound',
  }),
};

const CLASS = 'attributes-class';

function classesOfClaim({ spec, status }: DeepReadonly<PersistentVolumeClaim>): string[] {
  const names = [
    spec.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return [...new Set(names.filter((name): name is string => Boolean(name)))];
}

function classesOfVolume({ spec }: DeepReadonly<PersistentVolume>): string[] {
  return spec.volumeAttributesClassName ? [spec.volumeAttributesClassName] : [];
}

export const attributesClassProtection: ControllerEntry = {
  name: 'volumeattributesclass-protection-controller',
  account: 'volumeattributesclass-protection-controller',
  create: protect<VolumeAttributesClass>({
    name: 'volumeattributesclass-protection-controller',
    resource: volumeattributesclasses,
    finalizer: 'kubernetes.io/vac-protection',
    isUsed(informers, look) {
      const claims = informers.informer(persistentvolumeclaims);
      const volumes = informers.informer(persistentvolumes);
      watchNames(claims, classesOfClaim, look);
      watchNames(volumes, classesOfVolume, look);
      return ({ metadata: { name } }) => claims.lister.byIndex(CLASS, name).length > 0 || volumes.lister.byIndex(CLASS, name).length > 0;
    },
  }),
};

/** Calls `look` with each name that an object no longer gives. */
function watchNames<T extends KubeObject>(
  informer: Informer<T>,
  namesOf: (object: DeepReadonly<T>) => string[],
  look: (name: string) => void,
): void {
  informer.addIndex(CLASS, namesOf);
  informer.addHandler({
    update(before, after) {
      const names = namesOf(after);
      for (const name of namesOf(before)) if (!names.includes(name)) look(name);
    },
    delete: (object) => namesOf(object).forEach(look),
  });
}
