// SPDX-License-Identifier: Apache-2.0

/** Thrown when a stored value is encrypted and no key reads it: unlike a broken one, it is not as if absent. */
export class UnreadableValueError extends Error {
  /** The whole storage key. */
  readonly key: string;

  constructor(key: string, why: string, options?: ErrorOptions) {
    super(why, options);
    this.name = 'UnreadableValueError';
    this.key = key;
  }
}
