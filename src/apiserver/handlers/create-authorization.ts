// SPDX-License-Identifier: Apache-2.0
// An update or an apply that makes the object takes the right to create it, too: asked for once there is nothing to update, before
// validating admission. @source upstream apiserver pkg/endpoints/handlers/create.go withAuthorization
import { type Attributes, type Authorizer, type Decision, decide } from '../auth/authorizer.ts';
import { attributesOf, denied } from '../filters/authorization.ts';
import type { AdmissionCalls } from '../registry/generic/generic-store.ts';
import type { RequestContext } from '../request/context.ts';

/** Admission that lets nothing be made by who may not. */
export function authorizingCreates(context: RequestContext, authorizer: Authorizer, admission: AdmissionCalls): AdmissionCalls {
  let decided: Promise<void> | undefined;
  return {
    mutate: (object, previous) => admission.mutate(object, previous),
    validate(object, previous) {
      if (previous !== undefined) return admission.validate(object, previous);
      decided ??= authorize(authorizer, { ...attributesOf(context), verb: 'create' });
      return decided.then(() => admission.validate(object, previous));
    },
  };
}

/** @throws {ApiError} 403 */
async function authorize(authorizer: Authorizer, attributes: Attributes): Promise<void> {
  const { verdict, reason }: Decision = await decide(authorizer, attributes);
  if (verdict !== 'allow') throw denied(attributes, reason);
}
