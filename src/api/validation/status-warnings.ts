// SPDX-License-Identifier: Apache-2.0
// `Warning` texts of writes to status endpoints: of addresses that are not written as they should be. Nothing else is said there,
// whatever the object itself is like. @source upstream WarningsOnUpdate of the status strategies in pkg/registry (Pods, Services, Ingresses)
import { type DeepReadonly, field, type KubeObject } from '../../machinery/mod.ts';
import type { Pod } from '../generated/core/v1.ts';
import { ipWarnings } from './ip-warnings.ts';

const STATUS = field('status');

export function podStatusWarnings({ status }: DeepReadonly<Pod>): string[] {
  return (['podIPs', 'hostIPs'] as const).flatMap((list) =>
    (status?.[list] ?? []).flatMap(({ ip = '' }, index) => ipWarnings(ip, STATUS.child(list).index(index).child('ip'))),
  );
}

interface Balanced {
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
}

function balancerWarnings({ status }: Balanced): string[] {
  const path = STATUS.child('loadBalancer', 'ingress');
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, index) => (ip ? ipWarnings(ip, path.index(index)) : []));
}

const BALANCED = new Set(['/Service', 'networking.k8s.io/Ingress']);

/** What is said of a kind's status; undefined where nothing ever is. Pods have {@link podStatusWarnings}. */
export function statusWarnings({ group, kind }: { readonly group: string; readonly kind: string }) {
  if (!BALANCED.has(`${group}/${kind}`)) return undefined;
  return (object: DeepReadonly<KubeObject>) => balancerWarnings(object as unknown as Balanced);
}
