// SPDX-License-Identifier: Apache-2.0
// What the person at the keyboard can mend: the message says what is wrong and what to do, and no stack is shown.

/** Thrown when a command cannot be done as asked. */
export class UserError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UserError';
  }
}
