// SPDX-License-Identifier: Apache-2.0
// The last words of a container: the file it wrote, or the tail of its log. @source upstream kuberuntime_container.go
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Container } from '#runtime';
import { factsOf } from './labels.ts';

const MAX_MESSAGE_BYTES = 4096;
const MAX_LOG_BYTES = 2048;
const MAX_LOG_LINES = 80;

/** Small and read once per ended container, so synchronously: the status is generated in one go. */
export function terminationMessage(container: Container): string | undefined {
  const facts = factsOf(container);
  if (container.state !== 'exited') return undefined;
  const own = facts.messageFile === '' ? '' : readHead(facts.messageFile, MAX_MESSAGE_BYTES);
  if (own !== '') return own;
  const wantsLog = facts.messagePolicy === 'FallbackToLogsOnError' && (container.exitCode ?? 0) !== 0;
  return wantsLog ? logTail(container.logPath) : undefined;
}

function readHead(path: string, limit: number): string {
  return readPart(path, (size) => ({ at: 0, length: Math.min(size, limit) }));
}

function readPart(path: string, part: (size: number) => { at: number; length: number }): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const { at, length } = part(fstatSync(file).size);
    const buffer = Buffer.alloc(length);
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, length, at));
  } finally {
    closeSync(file);
  }
}

function logTail(path: string): string {
  const window = 4 * MAX_LOG_BYTES + MAX_LOG_LINES * 48;
  const text = readPart(path, (size) => ({ at: Math.max(0, size - window), length: Math.min(size, window) }));
  let result = '';
  for (const line of text.split('\n')) {
    const match = /^\S+ (?:stdout|stderr) ([FP])\S* (.*)$/.exec(line);
    if (match !== null) result += `${match[2]}${match[1] === 'F' ? '\n' : ''}`;
  }
  const lines = result.split('\n');
  const kept = lines.slice(Math.max(0, lines.length - 1 - MAX_LOG_LINES)).join('\n');
  return Buffer.from(kept).subarray(-MAX_LOG_BYTES).toString('utf8');
}
