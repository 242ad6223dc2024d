// SPDX-License-Identifier: Apache-2.0
// Processes by identity: a PID counts only with the start time it was seen with, so a reused PID is never signalled.
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of `/proc/<pid>/stat`. */
  readonly startTicks: string;
}

/** Undefined if there is no such process or it is a zombie. */
export function identify(pid: number): ProcessId | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, startTicks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

export function isAlive(id: ProcessId | undefined): boolean {
  return id !== undefined && identify(id.pid)?.startTicks === id.startTicks;
}

/** False if the process is gone. */
export function sendSignal(id: ProcessId | undefined, signal: number): boolean {
  if (id === undefined || !isAlive(id)) return false;
  try {
    process.kill(id.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`. Undefined for what is no signal. */
export function parseSignal(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) > 0 && Number(text) <= 64 ? Number(text) : undefined;
  const name = text.toUpperCase().startsWith('SIG') ? text.toUpperCase() : `SIG${text.toUpperCase()}`;
  const realTime = /^SIGRT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realTime !== null) return (realTime[1] === 'MIN' ? 34 : 64) + Number(`${realTime[2] ?? '+'}${realTime[3] ?? 0}`);
  return (constants.signals as Record<string, number>)[name];
}
