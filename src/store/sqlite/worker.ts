// SPDX-License-Identifier: Apache-2.0
// The thread that owns the database file. Each message is a batch of operations: the writes of all that have come are one
// transaction, so that many writers share one fdatasync, and the event loop that serves requests never waits for the disk.
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { CompactedError, FutureRevisionError } from '../store.ts';
import { Database } from './database.ts';
import { packAnswers, unpackWrites, type WriteAnswer, type WriteOperation } from './packed-writes.ts';
import type { AnswerError, FromWorker, SentAnswer, SentOperation, ToWorker } from './protocol.ts';

const WRITES = new Set<SentOperation['op']>(['writes', 'expire', 'compact']);

function errorOf(error: unknown): AnswerError {
  if (error instanceof CompactedError) return { type: 'compacted', asked: 0, revision: error.compactRevision };
  if (error instanceof FutureRevisionError) return { type: 'future', asked: 0, revision: error.current };
  return { type: 'unavailable', message: error instanceof Error ? error.message : String(error) };
}

function write(database: Database, operation: WriteOperation): WriteAnswer {
  const { key, expected } = operation;
  return operation.op === 'put' ? database.put(key, operation.value, expected, operation.expiresAt) : database.delete(key, expected);
}

function run(database: Database, operation: SentOperation): SentAnswer {
  switch (operation.op) {
    case 'writes':
      return packAnswers(unpackWrites(operation).map((one) => write(database, one)));
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
function runOne(database: Database, operation: SentOperation): SentAnswer {
  if (WRITES.has(operation.op)) return run(database, operation);
  try {
    return run(database, operation);
  } catch (error) {
    return { kind: 'error', error: errorOf(error) };
  }
}

type Batch = readonly SentOperation[];

function runBatches(database: Database, batches: readonly Batch[]): SentAnswer[][] {
  const writes = batches.some((operations) => operations.some(({ op }) => WRITES.has(op)));
  const work = () => batches.map((operations) => operations.map((operation) => runOne(database, operation)));
  try {
    return writes ? database.transact(work) : work();
  } catch (error) {
    const answer = { kind: 'error', error: errorOf(error) } as const;
    return batches.map((operations) =>
      operations.flatMap((operation) => (operation.op === 'writes' ? operation.keys.map(() => answer) : [answer])),
    );
  }
}

/** The messages that have come by now. */
function* received(port: MessagePort, first: ToWorker): Generator<ToWorker> {
  yield first;
  for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) yield next.message as ToWorker;
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
  port.on('message', (first: ToWorker) => {
    const messages = [...received(port, first)];
    const batches = messages.flatMap((message) => (message.type === 'batch' ? [message.operations] : []));
    if (batches.length > 0) send({ type: 'committed', batches: runBatches(database, batches), revision: database.revision });
    if (batches.length === messages.length) return;
    database.close();
    send({ type: 'closed' });
    port.close();
  });
}

main();
