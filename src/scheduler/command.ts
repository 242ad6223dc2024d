// SPDX-License-Identifier: Apache-2.0
// `sagong kube-scheduler`: upstream's flags. Profiles (--config) are not implemented and refused; no health server is started.
import { CLIENT_FLAGS, connectComponent } from '#client';
import { readCommand } from '#component';
import { runScheduler } from './run.ts';

const NAME = 'kube-scheduler';

/** Runs until `signal`. @throws {FlagError} For what cannot be used. */
export async function runSchedulerCommand(args: readonly string[], signal: AbortSignal): Promise<void> {
  const command = readCommand(NAME, args, CLIENT_FLAGS);
  if (command === undefined) return;
  const { flags, logger } = command;
  using connection = connectComponent(NAME, flags);
  await runScheduler({ client: connection.client, logger, leaderElect: flags.bool('leader-elect'), signal });
}
