// SPDX-License-Identifier: Apache-2.0
// Binds the admission chain to requests: what a plugin is told of a request, and what plugins may ask of the server.
// RBAC's refusal of escalation runs with it, since it too needs the object as it will be stored.
import type { Client } from '#client';
import type { Clock } from '#component';
import { type DeepReadonly, deepCopy } from '#machinery';
import type { AdmissionDeps, AdmissionOperation, AdmissionRequest } from './admission/admission.ts';
import { createAdmissionChain } from './admission/chain.ts';
import { type EscalationDeps, refuseEscalation } from './auth/escalation.ts';
import type { AdmissionRunner } from './handlers/endpoint.ts';
import type { ServedResource } from './registry/generic/served-resource.ts';
import type { MutableObject } from './registry/strategy.ts';

export interface AdmissionOptions {
  readonly clock: Clock;
  readonly authorizationModes: readonly string[];
  readonly enableAdmission: readonly string[];
  readonly disableAdmission: readonly string[];
}

/** @param client Acts as the server itself. */
export function createAdmissionRunner(options: AdmissionOptions, escalation: EscalationDeps, client: Client): AdmissionRunner {
  const { reader, authorizer } = escalation;
  const isGrant = ({ resource }: ServedResource) =>
    resource.group === 'rbac.authorization.k8s.io' && options.authorizationModes.includes('RBAC');
  const chain = createAdmissionChain({ enabled: options.enableAdmission, disabled: options.disableAdmission });
  const deps: AdmissionDeps = {
    reader,
    now: () => options.clock.now(),
    enabled: options.enableAdmission,
    disabled: options.disableAdmission,
    update: async (resource, object, subresource) => {
      await client.update(resource, deepCopy(object) as never, { subresource });
    },
    authorize: async (user, check) => authorizer.authorize({ user, isResource: true, path: '', ...check }).verdict === 'allow',
  };
  return {
    callsFor(context, served, operation: AdmissionOperation, subresource, dryRun, name) {
      const request = (object: MutableObject | undefined, oldObject: DeepReadonly<MutableObject> | undefined): AdmissionRequest => ({
        operation: operation === 'UPDATE' && oldObject === undefined ? 'CREATE' : operation,
        resource: served.resource,
        subresource,
        namespace: context.info.namespace,
        name,
        object,
        oldObject,
        dryRun,
        user: context.knownUser,
        warn: (text) => context.warn(text),
      });
      return {
        async mutate(object, previous) {
          await chain.runMutating(request(object, previous), deps);
          if (object === undefined || !isGrant(served)) return;
          refuseEscalation(
            { user: context.knownUser, resource: served.resource, namespace: context.info.namespace, object, previous },
            escalation,
          );
        },
        validate: (object, previous) => chain.runValidating(request(object, previous), deps),
      };
    },
  };
}
