// SPDX-License-Identifier: Apache-2.0
// What every component's command begins with: `--help` answered, flags read, those without effect named in the log.
import { describeFlags, type FlagSpecs, type Flags, parseFlags } from './flags.ts';
import { createLogger, type Logger, type LogLevel } from './logging.ts';

export interface Command {
  readonly flags: Flags;
  readonly logger: Logger;
}

/** @returns Undefined where only `--help` was asked for. @throws {FlagError} For flags that cannot be used. */
export function readCommand(name: string, args: readonly string[], specs: FlagSpecs): Command | undefined {
  if (args.includes('--help')) {
    process.stdout.write(describeFlags(name, specs));
    return undefined;
  }
  const flags = parseFlags(name, args, specs);
  const level = specs['log-level'] === undefined ? undefined : (flags.string('log-level') as LogLevel);
  const logger = createLogger({ component: name, ...(level !== undefined && { level }) });
  for (const flag of flags.ignored) logger.warn({ flag }, 'Flag has no effect');
  return { flags, logger };
}
