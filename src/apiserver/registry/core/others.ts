// SPDX-License-Identifier: Apache-2.0
// The rest of the core group: what differs from the usual strategy in a line or two each.
import * as api from '#api';
import { validateObject, validateObjectUpdate } from '#api';
import type { Event, Node, PersistentVolume, PersistentVolumeClaim, ReplicationController, Secret } from '#api/core/v1';
import type { Resource } from '#machinery';
import { defaultStrategy } from '../default-strategy.ts';
import type { MutableObject, RequestScope, Strategy } from '../strategy.ts';

const as = <T>(object: unknown) => object as T;

const EVENT_FIELDS = [
  'involvedObject.kind',
  'involvedObject.namespace',
  'involvedObject.name',
  'involvedObject.uid',
  'involvedObject.apiVersion',
  'involvedObject.resourceVersion',
  'involvedObject.fieldPath',
  'reason',
  'reportingComponent',
  'source',
  'type',
] as const;

function eventField(event: Event, name: string): string | undefined {
  if (!(EVENT_FIELDS as readonly string[]).includes(name)) return undefined;
  if (name === 'source') return event.source?.component || event.reportingComponent || '';
  if (name === 'reportingComponent' || name === 'reason' || name === 'type') return event[name] ?? '';
  const key = name.slice('involvedObject.'.length) as keyof Event['involvedObject'];
  return event.involvedObject?.[key] ?? '';
}

/** Events of both groups: one object, stored as core/v1. In events.k8s.io the fields go by their names there. */
export function eventStrategy(resource: Resource): Strategy {
  const names = EVENT_FIELDS.map((name) =>
    resource.group === '' ? name : name.replace('involvedObject', 'regarding').replace('reportingComponent', 'reportingController'),
  );
  const kindOf = ({ resource: { group, version } }: RequestScope) => ({ group, version, kind: 'Event' });
  return defaultStrategy(resource, {
    allowCreateOnUpdate: true,
    // The newer API asks more of an Event, whatever the form it is stored in.
    validate: (object, scope) => validateObject(kindOf(scope), object),
    validateUpdate: (next, previous, scope) => validateObjectUpdate(kindOf(scope), next, previous, ''),
    selectableFields: names,
    fieldValue: (object, name) => {
      const core =
        resource.group === '' ? name : name.replace('regarding', 'involvedObject').replace('reportingController', 'reportingComponent');
      return eventField(as<Event>(object), core);
    },
  });
}

export function nodeStrategy(): Strategy {
  return defaultStrategy(api.nodes, {
    // A kubelet registers with its status in the same request.
    initialStatus: (object) => object['status'] ?? {},
    afterPrepareForStatus(next, previous) {
      if (as<Partial<Node>>(previous).status?.config === undefined) delete as<Partial<Node>>(next).status?.config;
    },
    selectableFields: ['spec.unschedulable'],
    fieldValue: (object, name) => (name === 'spec.unschedulable' ? String(as<Node>(object).spec?.unschedulable ?? false) : undefined),
  });
}

export function secretStrategy(): Strategy {
  return defaultStrategy(api.secrets, {
    selectableFields: ['type'],
    fieldValue: (object, name) => (name === 'type' ? (as<Secret>(object).type ?? '') : undefined),
    afterPrepareForUpdate(next, previous) {
      // Old clients leave the type out of an update.
      if (!as<Secret>(next).type) as<Secret>(next).type = as<Secret>(previous).type ?? 'Opaque';
    },
  });
}

export function serviceAccountStrategy(): Strategy {
  return defaultStrategy(api.serviceaccounts, {
    afterPrepareForCreate: keepSecretNames,
    afterPrepareForUpdate: keepSecretNames,
  });
}

/** Of a mountable Secret only the name is kept. */
function keepSecretNames(object: MutableObject): void {
  const account = as<{ secrets?: { name?: string }[] }>(object);
  if (account.secrets !== undefined && account.secrets !== null) {
    account.secrets = account.secrets.map(({ name }) => (name === undefined ? {} : { name }));
  }
}

/** When the phase was last another one, where the client does not say. */
function keepTransitionTime(
  status: PersistentVolume['status'] | undefined,
  before: PersistentVolume['status'] | undefined,
  now: string,
): void {
  if (status === undefined) return;
  const [time, former] = [status.lastPhaseTransitionTime, before?.lastPhaseTransitionTime];
  if (status.phase !== before?.phase) {
    if (time === undefined || time === former) status.lastPhaseTransitionTime = now;
  } else if (time === undefined && former !== undefined) status.lastPhaseTransitionTime = former;
}

export function persistentVolumeStrategy(): Strategy {
  const stamp = (now: number) => `${new Date(now).toISOString().slice(0, 19)}Z`;
  const strategy = defaultStrategy(api.persistentvolumes, {
    initialStatus: () => ({ phase: 'Pending' }),
    selectableFields: ['name'],
    fieldValue: (object, name) => (name === 'name' ? (object.metadata.name ?? '') : undefined),
    afterPrepareForCreate(object, scope) {
      as<PersistentVolume>(object).status.lastPhaseTransitionTime = stamp(scope.now);
    },
  });
  const status = strategy.subresources['status'];
  if (status === undefined) return strategy;
  return {
    ...strategy,
    subresources: {
      ...strategy.subresources,
      status: {
        ...status,
        prepareForUpdate(next, previous, scope) {
          status.prepareForUpdate(next, previous, scope);
          keepTransitionTime(as<PersistentVolume>(next).status, as<PersistentVolume>(previous).status, stamp(scope.now));
        },
      },
    },
  };
}

/** `dataSource` and `dataSourceRef` mirror each other where both can say the same. */
function mirrorSources(object: MutableObject): void {
  const { spec } = as<PersistentVolumeClaim>(object);
  const { dataSource, dataSourceRef } = spec;
  if (dataSource && !dataSourceRef) spec.dataSourceRef = { ...dataSource };
  else if (dataSourceRef && !dataSource && !dataSourceRef.namespace) {
    const { namespace: _namespace, ...same } = dataSourceRef;
    spec.dataSource = same;
  }
}

export function persistentVolumeClaimStrategy(): Strategy {
  return defaultStrategy(api.persistentvolumeclaims, {
    initialStatus: () => ({ phase: 'Pending' }),
    selectableFields: ['name'],
    fieldValue: (object, name) => (name === 'name' ? (object.metadata.name ?? '') : undefined),
    afterPrepareForCreate: mirrorSources,
    afterPrepareForUpdate: mirrorSources,
  });
}

export function replicationControllerStrategy(): Strategy {
  return defaultStrategy(api.replicationcontrollers, {
    generation: true,
    initialStatus: () => ({ replicas: 0 }),
    selectableFields: ['status.replicas'],
    fieldValue: (object, name) =>
      name === 'status.replicas' ? String(as<ReplicationController>(object).status?.replicas ?? 0) : undefined,
  });
}
