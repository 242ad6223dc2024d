// SPDX-License-Identifier: Apache-2.0
// The one error of the kubelet server: a status code with a text.

/** Thrown when a request of the kubelet's server ends in an error answer: plain text, as upstream's. */
export class HttpError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'HttpError';
    this.code = code;
  }
}
