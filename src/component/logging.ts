// SPDX-License-Identifier: Apache-2.0
// Structured logs: JSON lines by pino, one logger per component, children with fields.
import { type DestinationStream, pino } from 'pino';

/** What a component logs with. Fields first, then a message that starts with a capital and has no full stop. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  readonly component: string;
  /** @default info */
  readonly level?: LogLevel;
  /** @default standard error */
  readonly destination?: DestinationStream;
}

export function createLogger({ component, level = 'info', destination = pino.destination({ fd: 2, sync: true }) }: LoggerOptions): Logger {
  const base = { component };
  return pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } }, destination);
}

/** Drops everything: for tests and for callers that do not care. */
export const silentLogger: Logger = { debug: drop, info: drop, warn: drop, error: drop, child: () => silentLogger };

function drop(): void {}
