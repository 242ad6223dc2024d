// SPDX-License-Identifier: Apache-2.0
// Errors as the API speaks them: `ApiError` carries a `metav1.Status`; a factory per reason, predicates on the reason.
// Texts and codes follow upstream's api/errors package, since kubectl users and tests read them.
import type { GroupResource, Status, StatusCause, StatusDetails } from './generated/meta-v1.ts';

/** Thrown when a request ends in anything but success; `status` is the body the client gets. */
export class ApiError extends Error {
  readonly status: Status;

  constructor(status: Status, options?: ErrorOptions) {
    super(status.message ?? '', options);
    this.name = 'ApiError';
    this.status = status;
  }

  get code(): number {
    return this.status.code ?? 500;
  }

  get reason(): string {
    return this.status.reason ?? '';
  }
}

interface FailureParts {
  code: number;
  reason: string;
  message: string;
  details?: StatusDetails | undefined;
  cause?: unknown;
}

function failure({ code, reason, message, details, cause }: FailureParts): ApiError {
  const status: Status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message };
  if (reason !== '') status.reason = reason;
  if (details !== undefined) status.details = details;
  status.code = code;
  return new ApiError(status, cause === undefined ? undefined : { cause });
}

const qualified = (of: GroupResource) => (of.group === '' ? of.resource : `${of.resource}.${of.group}`);

function detailsOf(of: GroupResource, name: string): StatusDetails {
  return {
    ...(name === '' ? {} : { name }),
    ...(of.group === '' ? {} : { group: of.group }),
    ...(of.resource === '' ? {} : { kind: of.resource }),
  };
}

export function notFound(of: GroupResource, name: string): ApiError {
  return failure({ code: 404, reason: 'NotFound', message: `${qualified(of)} "${name}" not found`, details: detailsOf(of, name) });
}

export function alreadyExists(of: GroupResource, name: string): ApiError {
  return failure({
    code: 409,
    reason: 'AlreadyExists',
    message: `${qualified(of)} "${name}" already exists`,
    details: detailsOf(of, name),
  });
}

/** For an object whose name was, or might have been, made by the server, and is taken all the same. */
export function generateNameConflict(of: GroupResource, name: string): ApiError {
  const message = `${qualified(of)} "${name}" already exists, the server was not able to generate a unique name for the object`;
  return failure({ code: 409, reason: 'AlreadyExists', message, details: { ...detailsOf(of, name), retryAfterSeconds: 1 } });
}

export function conflict(of: GroupResource, name: string, why: string): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(of)} "${name}": ${why}`;
  return failure({ code: 409, reason: 'Conflict', message, details: detailsOf(of, name) });
}

export function unauthorized(why = 'Unauthorized'): ApiError {
  return failure({ code: 401, reason: 'Unauthorized', message: why });
}

export function forbidden(of: GroupResource, name: string, why: string): ApiError {
  const subject = of.resource === '' ? '' : name === '' ? `${qualified(of)} ` : `${qualified(of)} "${name}" `;
  const message = subject === '' ? `forbidden: ${why}` : `${subject}is forbidden: ${why}`;
  return failure({ code: 403, reason: 'Forbidden', message, details: detailsOf(of, name) });
}

export function badRequest(message: string, cause?: unknown): ApiError {
  return failure({ code: 400, reason: 'BadRequest', message, cause });
}

/** @param causes Field errors as `metav1.StatusCause`s; the message joins them as upstream's aggregate does. */
export function invalid(kind: { group: string; kind: string }, name: string, causes: readonly FieldCause[]): ApiError {
  const texts = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))];
  const aggregate = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
  const subject = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
  const details: StatusDetails = {
    ...(name === '' ? {} : { name }),
    ...(kind.group === '' ? {} : { group: kind.group }),
    ...(kind.kind === '' ? {} : { kind: kind.kind }),
    ...(causes.length === 0 ? {} : { causes: causes.map(({ reason, message, field }): StatusCause => ({ reason, message, field })) }),
  };
  return failure({ code: 422, reason: 'Invalid', message: `${subject} "${name}" is invalid: ${aggregate}`, details });
}

export interface FieldCause {
  /** `FieldValueRequired`, `FieldValueInvalid`, ... */
  readonly reason: string;
  /** Without the field's path: `Required value: why`. */
  readonly message: string;
  /** `spec.containers[0].name`. */
  readonly field: string;
}

export function methodNotSupported(of: GroupResource, action: string): ApiError {
  const message = `${action} is not supported on resources of kind "${qualified(of)}"`;
  return failure({ code: 405, reason: 'MethodNotAllowed', message, details: detailsOf(of, '') });
}

export function notAcceptable(message: string): ApiError {
  return failure({ code: 406, reason: 'NotAcceptable', message });
}

export function unsupportedMediaType(message: string): ApiError {
  return failure({ code: 415, reason: 'UnsupportedMediaType', message });
}

export function requestEntityTooLarge(message: string): ApiError {
  return failure({ code: 413, reason: 'RequestEntityTooLarge', message: `Request entity too large: ${message}` });
}

/** A revision that was compacted, or a continue token too old: list again. */
export function expired(message: string): ApiError {
  return failure({ code: 410, reason: 'Expired', message });
}

/** As `expired`, for watches: reason `Gone`. */
export function gone(message: string): ApiError {
  return failure({ code: 410, reason: 'Gone', message });
}

export function tooManyRequests(message: string, retryAfterSeconds: number): ApiError {
  return failure({ code: 429, reason: 'TooManyRequests', message, details: retryAfterSeconds > 0 ? { retryAfterSeconds } : undefined });
}

export function serverTimeout(of: GroupResource, operation: string, retryAfterSeconds: number): ApiError {
  const message = `The ${operation} operation against ${qualified(of)} could not be completed at this time, please try again.`;
  return failure({ code: 500, reason: 'ServerTimeout', message, details: { ...detailsOf(of, operation), retryAfterSeconds } });
}

export function gatewayTimeout(message: string, retryAfterSeconds = 0): ApiError {
  const details = retryAfterSeconds > 0 ? { retryAfterSeconds } : undefined;
  return failure({ code: 504, reason: 'Timeout', message: `Timeout: ${message}`, details });
}

export function serviceUnavailable(message: string): ApiError {
  return failure({ code: 503, reason: 'ServiceUnavailable', message });
}

export function internalError(why: string, cause?: unknown): ApiError {
  const message = `Internal error occurred: ${why}`;
  return failure({ code: 500, reason: 'InternalError', message, details: { causes: [{ message: why }] }, cause });
}

/** For a path that names nothing: the body of upstream's 404 for unknown paths is not a Status; this is for unknown resources. */
export function unknownResource(): ApiError {
  return failure({ code: 404, reason: 'NotFound', message: 'the server could not find the requested resource', details: {} });
}

export function apiError(code: number, reason: string, message: string, details?: StatusDetails): ApiError {
  return failure({ code, reason, message, details });
}

/** The `reason` of an error, or '' where it is none of the API's. Works on errors that crossed a module copy. */
export function reasonOf(error: unknown): string {
  const status = (error as { status?: Status } | undefined)?.status;
  return typeof status === 'object' && status !== null ? (status.reason ?? '') : '';
}

export const isNotFound = (error: unknown): boolean => reasonOf(error) === 'NotFound';
export const isConflict = (error: unknown): boolean => reasonOf(error) === 'Conflict';
export const isAlreadyExists = (error: unknown): boolean => reasonOf(error) === 'AlreadyExists';
export const isForbidden = (error: unknown): boolean => reasonOf(error) === 'Forbidden';
export const isInvalid = (error: unknown): boolean => reasonOf(error) === 'Invalid';
export const isExpired = (error: unknown): boolean => reasonOf(error) === 'Expired' || reasonOf(error) === 'Gone';
