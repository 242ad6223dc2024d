// SPDX-License-Identifier: Apache-2.0
// Turns answers that are no success into errors. Most carry a `Status`; some (a proxy's, an overloaded server's) are text.
import { ApiError, apiError, type Status } from '#machinery';

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** Whether a body is a `metav1.Status`. */
export function isStatus(body: unknown): body is Status {
  return typeof body === 'object' && body !== null && (body as { kind?: unknown }).kind === 'Status';
}

/** The error of an answer with a status of 400 or more. */
export function errorOf(code: number, body: unknown): ApiError {
  if (isStatus(body)) return new ApiError(body.code === undefined ? { ...body, code } : body);
  const text = typeof body === 'string' ? body.trim() : '';
  const message = text === '' ? `the server answered ${code} without a reason` : text;
  return apiError(code, REASONS[code] ?? (code >= 500 ? 'InternalError' : 'Unknown'), message);
}
