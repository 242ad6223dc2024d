// SPDX-License-Identifier: Apache-2.0
// `Warning` texts of writes to status endpoints: of addresses that are not written as they should be. Nothing else is said there,
// whatever the object itself is like. @source upstream WarningsOnUpdate of the status strategies in pkg/registry/core/{pod,service}
import { type DeepReadonly, field, type KubeObject } from '../../machinery/mod.ts';
import type { Pod, Service } from '../generated/core/v1.ts';
import { ipWarnings } from './ip-warnings.ts';

const STATUS = field('status');

export function podStatusWarnings({ status }: DeepReadonly<Pod>): string[] {
  return (['podIPs', 'hostIPs'] as const).flatMap((list) =>
    (status?.[list] ?? []).flatMap(({ ip = '' }, index) => ipWarnings(ip, STATUS.child(list).index(index).child('ip'))),
  );
}

function serviceStatusWarnings({ status }: DeepReadonly<Service>): string[] {
  const path = STATUS.child('loadBalancer', 'ingress');
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, index) => (ip ? ipWarnings(ip, path.index(index)) : []));
}

/** What is said of a kind's status; undefined where nothing ever is. Pods have {@link podStatusWarnings}. */
export function statusWarnings({ group, kind }: { readonly group: string; readonly kind: string }) {
  if (group !== '' || kind !== 'Service') return undefined;
  return (object: DeepReadonly<KubeObject>) => serviceStatusWarnings(object as unknown as DeepReadonly<Service>);
}
