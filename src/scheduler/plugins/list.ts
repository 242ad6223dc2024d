// SPDX-License-Identifier: Apache-2.0
// The plugins of the default profile, in the order in which they filter. SchedulingGates and PrioritySort are in the queue,
// DefaultPreemption and DefaultBinder in the scheduler.
import type { Namespace } from '#api/core/v1';
import type { Lister } from '#client';
import type { SchedulerCache } from '../cache/cache.ts';
import type { Plugin } from '../framework/plugin.ts';
import { balancedAllocation } from './balanced-allocation.ts';
import { defaultSelectorOf, type WorkloadListers } from './default-selector.ts';
import { imageLocality } from './image-locality.ts';
import { interPodAffinity } from './inter-pod-affinity.ts';
import { nodeAffinity } from './node-affinity.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeResourcesFit } from './node-resources-fit.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { podTopologySpread } from './pod-topology-spread.ts';
import { taintToleration } from './taint-toleration.ts';
import { type VolumeListers, volumeBinding } from './volume-binding.ts';

export interface PluginParts extends WorkloadListers, VolumeListers {
  readonly cache: SchedulerCache;
  readonly namespaces: Lister<Namespace>;
}

export function defaultPlugins(parts: PluginParts): readonly Plugin[] {
  return [
    nodeUnschedulable,
    nodeName,
    taintToleration,
    nodeAffinity,
    nodePorts,
    nodeResourcesFit,
    volumeBinding(parts),
    podTopologySpread(defaultSelectorOf(parts)),
    interPodAffinity(parts.namespaces),
    balancedAllocation,
    imageLocality(parts.cache),
  ];
}
