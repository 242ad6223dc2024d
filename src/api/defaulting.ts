// SPDX-License-Identifier: Apache-2.0
// What every SetDefaults function is made of: fill a field that the client left out. "Left out" is Go's notion: absent, null,
// and for values that are no pointers also '' (`setDefault`) or 0 (`setNonZero`).

/** Fills an absent, null or empty-string field. */
export function setDefault<T extends object, K extends keyof T>(target: T, key: K, value: NonNullable<T[K]>): void {
  const found = target[key];
  if (found === undefined || found === null || found === '') target[key] = value;
}

/** As `setDefault`, and 0 counts as left out: for Go ints that are no pointers. */
export function setNonZero<T extends object, K extends keyof T>(target: T, key: K, value: NonNullable<T[K]>): void {
  if (target[key] === 0) target[key] = value;
  else setDefault(target, key, value);
}

/** Fills an absent or null field only: for Go pointers, where '' and 0 are values. */
export function setPointer<T extends object, K extends keyof T>(target: T, key: K, value: NonNullable<T[K]>): void {
  if (target[key] === undefined || target[key] === null) target[key] = value;
}

/** The struct at `key`, made if it is not there. */
export function structAt<T extends object, K extends keyof T>(target: T, key: K): NonNullable<T[K]> {
  const found = target[key];
  if (found !== undefined && found !== null) return found;
  const made = {} as NonNullable<T[K]>;
  target[key] = made;
  return made;
}
