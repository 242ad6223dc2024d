// SPDX-License-Identifier: Apache-2.0
// While a definition is on its way out no object of it is made, by POST, PUT or apply: an admission before all others says so. Objects
// that are there may be changed, so that their finalizers can end. @source upstream apiextensions-apiserver forbidCreateAdmission
import { forbidden, type Resource } from '#machinery';
import type { AdmissionRunner, ServerParts } from '../handlers/endpoint.ts';

const WHY = 'create not allowed while custom resource definition is terminating';

/** The parts of the server with admission that refuses whatever would be made. */
export function forbiddingCreates(parts: ServerParts): ServerParts {
  const admission: AdmissionRunner = {
    callsFor(context, served, operation, subresource, dryRun, name, options) {
      const calls = parts.admission.callsFor(context, served, operation, subresource, dryRun, name, options);
      if (operation !== 'CREATE') return calls;
      return {
        mutate: () => refuse(served.resource, name),
        validate: (object, previous) => calls.validate(object, previous),
      };
    },
  };
  return { ...parts, admission };
}

function refuse(resource: Resource, name: string): never {
  throw forbidden(resource, name, WHY);
}
