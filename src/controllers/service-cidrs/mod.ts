// SPDX-License-Identifier: Apache-2.0
// service-cidr-controller: a ServiceCIDR bears a finalizer and is Ready; one that is deleted stays until no address of a Service would be
// left without a range, and a while longer, so that every API server has heard of it and gives no more addresses of it.
// @source upstream pkg/controller/servicecidrs/servicecidrs_controller.go
import type { IPAddress, ServiceCIDR } from '#api/networking/v1';
import { ipaddresses, servicecidrs } from '#api/resources';
import { DONE, type Lister, type Result, requeueAfter } from '#client';
import { formatTime } from '#component';
import { type DeepReadonly, IpPrefix, isNotFound } from '#machinery';
import { type ControllerEntry, KeyQueue } from '../context.ts';

type Cidr = DeepReadonly<ServiceCIDR>;
type Address = DeepReadonly<IPAddress>;

const NAME = 'service-cidr-controller';
const FINALIZER = 'networking.k8s.io/service-cidr-finalizer';
const DELETION_GRACE_MS = 10_000;
const READY = { type: 'Ready', status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' };
const IN_USE = {
  type: 'Ready',
  status: 'False',
  reason: 'Terminating',
  message: 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
};

const prefixesOf = ({ spec }: Cidr) => (spec?.cidrs ?? []).map((cidr) => new IpPrefix(cidr));
const isAllocated = ({ metadata }: Address) => metadata.labels?.['ipaddress.kubernetes.io/managed-by'] === 'ipallocator.k8s.io';

export const serviceCidrs: ControllerEntry = {
  name: NAME,
  account: 'service-cidrs-controller',
  create(context) {
    const { client, informers, clock } = context;
    const cidrs = informers.informer(servicecidrs);
    const addresses = informers.informer(ipaddresses);
    const work = new KeyQueue(context, NAME);
    work.follow(cidrs);
    // Only what is going can wait for another range, or for an address: nothing else is looked at again.
    const leaving = (concerned: (cidr: Cidr) => boolean) => {
      for (const cidr of cidrs.lister.list()) if (cidr.metadata.deletionTimestamp !== undefined && concerned(cidr)) work.add(cidr);
    };
    cidrs.addHandler({ add: (cidr) => leaving((other) => overlap(cidr, other)) });
    const ofAddress = (address: Address) =>
      isAllocated(address) && leaving((cidr) => prefixesOf(cidr).some((prefix) => prefix.containsHost(address.metadata.name)));
    addresses.addHandler({ add: ofAddress, delete: ofAddress });

    /** By server-side apply, as upstream: conditions of others stay. */
    async function mark(cidr: Cidr, condition: typeof READY): Promise<void> {
      const { name } = cidr.metadata;
      const had = cidr.status?.conditions?.find(({ type }) => type === condition.type);
      if (had !== undefined && had.status === condition.status && had.reason === condition.reason && had.message === condition.message)
        return;
      const lastTransitionTime = had?.status === condition.status ? had.lastTransitionTime : formatTime(clock.now());
      const applied = {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'ServiceCIDR',
        metadata: { name },
        status: { conditions: [{ ...condition, lastTransitionTime }] },
      };
      await client.patch(servicecidrs, { name }, 'apply', applied, { subresource: 'status', fieldManager: NAME, force: true });
    }

    async function setFinalizers(cidr: Cidr, finalizers: readonly string[]): Promise<void> {
      await client.update(servicecidrs, { ...cidr, metadata: { ...cidr.metadata, finalizers } });
    }

    async function letGo(cidr: Cidr): Promise<Result> {
      const { deletionTimestamp, finalizers = [] } = cidr.metadata;
      if (!finalizers.includes(FINALIZER)) return DONE;
      if (isNeeded(cidr, cidrs.lister, addresses.lister)) {
        await mark(cidr, IN_USE);
        return DONE;
      }
      const graceMs = DELETION_GRACE_MS - (clock.now() - Date.parse(deletionTimestamp ?? ''));
      if (graceMs > 0) return requeueAfter(graceMs);
      await setFinalizers(
        cidr,
        finalizers.filter((finalizer) => finalizer !== FINALIZER),
      );
      return DONE;
    }

    return work.run({
      async reconcile(name) {
        const cidr = cidrs.lister.find(name);
        if (cidr === undefined) return DONE;
        try {
          if (cidr.metadata.deletionTimestamp !== undefined) return await letGo(cidr);
          const { finalizers = [] } = cidr.metadata;
          if (!finalizers.includes(FINALIZER)) await setFinalizers(cidr, [...finalizers, FINALIZER]);
          else await mark(cidr, READY);
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
        return DONE;
      },
    });
  },
};

function overlap(one: Cidr, other: Cidr): boolean {
  const others = prefixesOf(other);
  return prefixesOf(one).some((prefix) => others.some((another) => prefix.covers(another) || another.covers(prefix)));
}

/** Whether an address that a Service has would be of no range without this one. */
function isNeeded(cidr: Cidr, cidrs: Lister<ServiceCIDR>, addresses: Lister<IPAddress>): boolean {
  const others = cidrs
    .list()
    .filter(({ metadata }) => metadata.name !== cidr.metadata.name)
    .flatMap(prefixesOf);
  const uncovered = prefixesOf(cidr).filter((prefix) => !others.some((other) => other.covers(prefix)));
  if (uncovered.length === 0) return false;
  return addresses
    .list()
    .filter(isAllocated)
    .some(({ metadata: { name } }) => {
      const hasIt = (prefix: IpPrefix) => prefix.containsHost(name);
      return uncovered.some(hasIt) && !others.some(hasIt);
    });
}
