// SPDX-License-Identifier: Apache-2.0
// `sagong kube-scheduler`: upstream's flags. Profiles (--config) are not implemented and refused; no health server is started.
import { createClient, HttpsTransport, loadKubeconfig } from '#client';
import { createLogger, describeFlags, FlagError, type FlagSpecs, parseFlags } from '#component';
import { runScheduler } from './run.ts';

const NAME = 'kube-scheduler';

const FLAGS: FlagSpecs = {
  kubeconfig: { type: 'string', help: 'Where the API server is and who we are.' },
  'authentication-kubeconfig': { type: 'string', help: 'Accepted; there is no server of our own to authenticate to.' },
  'authorization-kubeconfig': { type: 'string', help: 'Accepted; there is no server of our own to authorize.' },
  'leader-elect': { type: 'bool', default: 'true', help: 'Work only while holding the lease kube-system/kube-scheduler.' },
  'secure-port': { type: 'int', default: '0', help: 'Only 0 is possible: no server.' },
  'bind-address': { type: 'string', help: 'Accepted; there is no server of our own.' },
};

/** Runs until `signal`. @throws {FlagError} For what cannot be used. */
export async function runSchedulerCommand(args: readonly string[], signal: AbortSignal): Promise<void> {
  if (args.includes('--help')) {
    process.stdout.write(describeFlags(NAME, FLAGS));
    return;
  }
  const flags = parseFlags(NAME, args, FLAGS);
  const logger = createLogger({ component: NAME });
  for (const name of flags.ignored) logger.warn({ flag: name }, 'Flag has no effect');
  if (flags.has('secure-port') && flags.int('secure-port') !== 0)
    throw new FlagError(`flag --secure-port: sagong's ${NAME} has no server of its own: leave it out or give 0`);
  if (flags.string('kubeconfig') === '') throw new FlagError('flag --kubeconfig is required');
  using transport = new HttpsTransport({ ...loadKubeconfig(flags.string('kubeconfig')), userAgent: NAME });
  await runScheduler({ client: createClient(transport), logger, leaderElect: flags.bool('leader-elect'), signal });
}
