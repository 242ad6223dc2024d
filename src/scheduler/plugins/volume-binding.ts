// SPDX-License-Identifier: Apache-2.0
// VolumeBinding, as far as the scheduler itself decides: claims must exist and be bound, and a bound volume must be usable on the node.
// A claim that waits for its first consumer gets the chosen node as an annotation, for a provisioner to act on, and the Pod waits
// until it is bound; matching volumes to claims is the volume controller's.

import type { PersistentVolume, PersistentVolumeClaim } from '#api/core/v1';
import { compileTerms, type NodeMatcher } from '#api/node-selection';
import type { StorageClass } from '#api/storage/v1';
import type { Lister } from '#client';
import type { DeepReadonly } from '#machinery';
import type { PodInfo } from '../cache/pod-info.ts';
import { CONTINUE, type CycleState, type Plugin, type PreFilterResult, SKIP, unresolvable } from '../framework/plugin.ts';

export interface VolumeListers {
  readonly claims: Lister<PersistentVolumeClaim>;
  readonly volumes: Lister<PersistentVolume>;
  readonly classes: Lister<StorageClass>;
}

type Claim = DeepReadonly<PersistentVolumeClaim>;

interface VolumeState {
  readonly affinities: readonly NodeMatcher[];
  /** Claims that wait for a node to be chosen. */
  readonly waiting: readonly Claim[];
}

const NAME = 'VolumeBinding';
const UNBOUND = unresolvable('pod has unbound immediate PersistentVolumeClaims');
const CONFLICT = unresolvable("node(s) didn't match PersistentVolume's node affinity");

export function volumeBinding(listers: VolumeListers): Plugin {
  return {
    name: NAME,
    requeueOn: [
      { resource: 'Volume', actions: ['add', 'update', 'delete'] },
      { resource: 'Node', actions: ['add', 'update'] },
    ],
    preFilter: (state, pod) => preFilter(state, pod, listers),
    filter(state, _pod, { name, labels }) {
      const affinities = state.read<VolumeState>(NAME)?.affinities ?? [];
      return affinities.every((matches) => matches(name, labels)) ? undefined : CONFLICT;
    },
  };
}

/** The claims of a Pod in a cycle that need a node before they can be bound. */
export function claimsWaiting(state: CycleState): readonly Claim[] {
  return state.read<VolumeState>(NAME)?.waiting ?? [];
}

function preFilter(state: CycleState, pod: PodInfo, { claims, volumes, classes }: VolumeListers): PreFilterResult {
  const names = claimNames(pod);
  if (names.length === 0) return SKIP;
  const waiting: Claim[] = [];
  const affinities: NodeMatcher[] = [];
  for (const { name, isEphemeral } of names) {
    const claim = claims.find(`${pod.namespace}/${name}`);
    if (claim === undefined)
      return reject(
        isEphemeral
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
          : `persistentvolumeclaim "${name}" not found`,
      );
    if (claim.metadata.deletionTimestamp !== undefined) return reject(`persistentvolumeclaim "${name}" is being deleted`);
    if (claim.status?.phase === 'Lost')
      return reject(`persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName ?? ''}"`);
    if (!isBound(claim)) {
      const mode = classes.find(claim.spec.storageClassName ?? '')?.volumeBindingMode;
      if (mode !== 'WaitForFirstConsumer' || claim.spec.volumeName) return { type: 'reject', rejection: UNBOUND };
      waiting.push(claim);
      continue;
    }
    const required = volumes.find(claim.spec.volumeName ?? '')?.spec.nodeAffinity?.required;
    if (required !== undefined) affinities.push(compileTerms(required.nodeSelectorTerms));
  }
  state.write(NAME, { affinities, waiting } satisfies VolumeState);
  return CONTINUE;
}

function reject(reason: string): PreFilterResult {
  return { type: 'reject', rejection: unresolvable(reason) };
}

function isBound({ spec, metadata }: Claim): boolean {
  return Boolean(spec.volumeName) && metadata.annotations?.['pv.kubernetes.io/bind-completed'] !== undefined;
}

function claimNames({ pod }: PodInfo): { name: string; isEphemeral: boolean }[] {
  return (pod.spec.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }): { name: string; isEphemeral: boolean }[] => {
    if (persistentVolumeClaim !== undefined) return [{ name: persistentVolumeClaim.claimName, isEphemeral: false }];
    return ephemeral === undefined ? [] : [{ name: `${pod.metadata.name}-${name}`, isEphemeral: true }];
  });
}
