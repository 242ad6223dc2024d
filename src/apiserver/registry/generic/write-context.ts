// SPDX-License-Identifier: Apache-2.0
// What a write carries from its request into the generic store.
import type { Resource } from '#machinery';
import type { UserInfo } from '../../auth/user.ts';
import type { MutableObject } from '../strategy.ts';

export interface WriteContext {
  readonly user: UserInfo;
  readonly namespace: string;
  readonly dryRun: boolean;
  /** Who the change is booked to in managedFields. */
  readonly fieldManager: string;
  /** The resource in the version that was asked for. */
  readonly resource: Resource;
  /** '' for the resource itself. */
  readonly subresource: string;
  /** What the object was decoded from; it is looked at where it is refused. */
  given?(): unknown;
  warn(text: string): void;
}

/** Books a change to its manager: called with the object before and after, changes `after.metadata.managedFields`. */
export type BookFields = (before: MutableObject | undefined, after: MutableObject) => void;
