// SPDX-License-Identifier: Apache-2.0
// The validators of each kind. A kind without `update` is validated as on create.
import type { FieldCause } from '../../machinery/mod.ts';
import { podCauses } from './pod-spec.ts';

export interface Validator {
  /** All but `metadata`. */
  readonly create?: (object: never) => FieldCause[];
  /** All but `metadata`; includes what create checks. */
  readonly update?: (next: never, previous: never) => FieldCause[];
  readonly subresources?: Readonly<Record<string, (next: never, previous: never) => FieldCause[]>>;
}

export const VALIDATORS: Readonly<Record<string, Validator>> = {
  '/Pod': { create: podCauses },
};
