// SPDX-License-Identifier: Apache-2.0
// Keeps audit events below a size: a larger one goes without its request and response, and says so; one that is too large even then
// is lost. Batches are split where they would be too large together. In front of a backend only where a flag asks for it.
// @source upstream apiserver plugin/pkg/audit/truncate/truncate.go
import type { AuditBackend } from './backend.ts';
import type { AuditEvent } from './event.ts';

export interface TruncateOptions {
  readonly maxBatchBytes: number;
  readonly maxEventBytes: number;
}

/** Says in an event that something of it is missing. */
const TRUNCATED = { 'audit.k8s.io/truncated': 'true' };

/** @param lost Told how many events are too large in any form. */
export function truncating(backend: AuditBackend, options: TruncateOptions, lost: (count: number) => void): AuditBackend {
  return {
    ...(backend.strict === undefined ? {} : { strict: backend.strict }),
    name: backend.name,
    process(events) {
      const { batches, tooLarge } = batched(events, options);
      if (tooLarge > 0) lost(tooLarge);
      const done = batches.map((batch) => backend.process(batch)).filter((one) => one instanceof Promise);
      return done.length === 0 ? undefined : Promise.all(done).then(() => undefined);
    },
    shutdown: () => backend.shutdown(),
  };
}

function batched(events: readonly AuditEvent[], { maxBatchBytes, maxEventBytes }: TruncateOptions) {
  const batches: AuditEvent[][] = [];
  let batchBytes = 0;
  let tooLarge = 0;
  for (const given of events) {
    const { event, bytes } = shortened(given, maxEventBytes);
    if (bytes > maxEventBytes) {
      tooLarge += 1;
      continue;
    }
    const last = batches.at(-1);
    if (last === undefined || batchBytes + bytes > maxBatchBytes) {
      batches.push([event]);
      batchBytes = bytes;
    } else {
      last.push(event);
      batchBytes += bytes;
    }
  }
  return { batches, tooLarge };
}

function shortened(event: AuditEvent, maxBytes: number): { readonly event: AuditEvent; readonly bytes: number } {
  const bytes = sizeOf(event);
  if (bytes <= maxBytes || (event.level !== 'Request' && event.level !== 'RequestResponse')) return { event, bytes };
  const { requestObject: _request, responseObject: _response, ...rest } = event;
  const less = { ...rest, annotations: { ...(event['annotations'] as object | undefined), ...TRUNCATED } } as unknown as AuditEvent;
  return { event: less, bytes: sizeOf(less) };
}

function sizeOf(event: AuditEvent): number {
  return Buffer.byteLength(JSON.stringify(event));
}
