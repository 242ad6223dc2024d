// SPDX-License-Identifier: Apache-2.0
// SetDefaults of apps/v1 (upstream pkg/apis/apps/v1/defaults.go).
import { defaultPersistentVolumeClaim } from '../core/defaults.ts';
import { defaultPodTemplate } from '../core/pod-defaults.ts';
import { setDefault, setPointer, structAt } from '../defaulting.ts';
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from '../generated/apps/v1.ts';

export function defaultDeployment(deployment: Deployment): void {
  const spec = structAt(deployment, 'spec');
  setPointer(spec, 'replicas', 1);
  const strategy = structAt(spec, 'strategy');
  setDefault(strategy, 'type', 'RollingUpdate');
  if (strategy.type === 'RollingUpdate') {
    const rolling = structAt(strategy, 'rollingUpdate');
    setPointer(rolling, 'maxUnavailable', '25%');
    setPointer(rolling, 'maxSurge', '25%');
  }
  setPointer(spec, 'revisionHistoryLimit', 10);
  setPointer(spec, 'progressDeadlineSeconds', 600);
  defaultPodTemplate(structAt(spec, 'template'));
}

export function defaultReplicaSet(set: ReplicaSet): void {
  const spec = structAt(set, 'spec');
  setPointer(spec, 'replicas', 1);
  defaultPodTemplate(structAt(spec, 'template'));
}

/** Upstream has a field for it, which this annotation stands for in every version: it is never absent. */
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

export function defaultDaemonSet(set: DaemonSet): void {
  set.metadata = { ...set.metadata, annotations: { [TEMPLATE_GENERATION]: '0', ...set.metadata?.annotations } };
  const spec = structAt(set, 'spec');
  const strategy = structAt(spec, 'updateStrategy');
  setDefault(strategy, 'type', 'RollingUpdate');
  if (strategy.type === 'RollingUpdate') {
    const rolling = structAt(strategy, 'rollingUpdate');
    setPointer(rolling, 'maxUnavailable', 1);
    setPointer(rolling, 'maxSurge', 0);
  }
  setPointer(spec, 'revisionHistoryLimit', 10);
  defaultPodTemplate(structAt(spec, 'template'));
}

export function defaultStatefulSet(set: StatefulSet): void {
  const spec = structAt(set, 'spec');
  setDefault(spec, 'podManagementPolicy', 'OrderedReady');
  const strategy = structAt(spec, 'updateStrategy');
  if (!strategy.type) {
    strategy.type = 'RollingUpdate';
    setPointer(structAt(strategy, 'rollingUpdate'), 'partition', 0);
  }
  if (strategy.type === 'RollingUpdate' && strategy.rollingUpdate) setPointer(strategy.rollingUpdate, 'partition', 0);
  const retention = structAt(spec, 'persistentVolumeClaimRetentionPolicy');
  setDefault(retention, 'whenDeleted', 'Retain');
  setDefault(retention, 'whenScaled', 'Retain');
  setPointer(spec, 'replicas', 1);
  setPointer(spec, 'revisionHistoryLimit', 10);
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion = 'v1';
    claim.kind = 'PersistentVolumeClaim';
    defaultPersistentVolumeClaim(claim);
  }
  defaultPodTemplate(structAt(spec, 'template'));
}
