// SPDX-License-Identifier: Apache-2.0
// The thread that owns the database file. Each message is a batch of operations: its writes are one transaction, so that many
// writers share one fdatasync, and the event loop that serves requests never waits for the disk.
import { parentPort, workerData } from 'node:worker_threads';
import { CompactedError, FutureRevisionError } from '../store.ts';
import { Database } from './database.ts';
import type { Answer, AnswerError, FromWorker, Operation, ToWorker } from './protocol.ts';

const WRITES = new Set<Operation['op']>(['put', 'delete', 'expire', 'compact']);

function errorOf(error: unknown): AnswerError {
  if (error instanceof CompactedError) return { type: 'compacted', asked: 0, revision: error.compactRevision };
  if (error instanceof FutureRevisionError) return { type: 'future', asked: 0, revision: error.current };
  return { type: 'unavailable', message: error instanceof Error ? error.message : String(error) };
}

function run(database: Database, operation: Operation): Answer {
  switch (operation.op) {
    case 'put':
      return { kind: 'write', result: database.put(operation.key, operation.value, operation.expected, operation.expiresAt) };
    case 'delete':
      return { kind: 'write', result: database.delete(operation.key, operation.expected) };
    case 'expire':
      return { kind: 'expired', deleted: database.expire(operation.now), nextExpiry: database.nextExpiry };
    case 'find':
      return { kind: 'found', found: database.find(operation.key, operation.at) };
    case 'range':
      return { kind: 'range', result: database.range(operation.prefix, operation.options) };
    case 'history':
      return { kind: 'history', events: database.history(operation.prefix, operation.after) };
    case 'compact':
      database.compact(operation.revision);
      return { kind: 'done' };
    case 'size':
      return { kind: 'size', bytes: database.size() };
  }
}

/** A read that fails spoils only its own answer; a write that fails (full disk) undoes the whole batch. */
function runOne(database: Database, operation: Operation): Answer {
  if (WRITES.has(operation.op)) return run(database, operation);
  try {
    return run(database, operation);
  } catch (error) {
    return { kind: 'error', error: errorOf(error) };
  }
}

function runBatch(database: Database, operations: readonly Operation[]): Answer[] {
  const writes = operations.some((operation) => WRITES.has(operation.op));
  const work = () => operations.map((operation) => runOne(database, operation));
  try {
    return writes ? database.transact(work) : work();
  } catch (error) {
    return operations.map(() => ({ kind: 'error', error: errorOf(error) }));
  }
}

function main(): void {
  const port = parentPort;
  if (port === null) throw new Error('start the store worker: not in a worker thread');
  const send = (message: FromWorker) => port.postMessage(message);
  let database: Database;
  try {
    database = new Database((workerData as { file: string }).file);
  } catch (error) {
    send({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    return;
  }
  send({ type: 'opened', revision: database.revision, nextExpiry: database.nextExpiry });
  port.on('message', (message: ToWorker) => {
    if (message.type === 'batch')
      return send({ type: 'batch', answers: runBatch(database, message.operations), revision: database.revision });
    database.close();
    send({ type: 'closed' });
    port.close();
  });
}

main();
