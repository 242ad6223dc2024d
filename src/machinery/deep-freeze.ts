// SPDX-License-Identifier: Apache-2.0
// Freezes plain JSON values all the way down: tests and fakes use it to catch whoever changes an object that a cache owns.
import type { DeepReadonly } from './resource.ts';

/** Freezes `value` in place and returns it. Stops at what is frozen already, so it is cheap on shared parts. */
export function deepFreeze<T>(value: T): DeepReadonly<T> {
  freeze(value);
  return value as DeepReadonly<T>;
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const inner of Array.isArray(value) ? value : Object.values(value)) freeze(inner);
}
