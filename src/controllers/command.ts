// SPDX-License-Identifier: Apache-2.0
// `sagong kube-controller-manager`: upstream's flags to `ControllerManagerOptions`. No health or metrics server is started, so its
// port can only be switched off.
import { readFileSync } from 'node:fs';
import { CLIENT_FLAGS, connectComponent } from '#client';
import { FlagError, type FlagSpecs, type Flags, readCommand, systemClock } from '#component';
import { tokenClients } from './account-clients.ts';
import type { SigningAuthority } from './context.ts';
import { runControllerManager } from './manager.ts';

const NAME = 'kube-controller-manager';

const FLAGS: FlagSpecs = {
  ...CLIENT_FLAGS,
  'allocate-node-cidrs': { type: 'bool', default: 'false', help: 'Give each node a block of the cluster CIDR.' },
  'cluster-cidr': { type: 'string', help: 'Range of Pod addresses.' },
  'cluster-name': { type: 'string', default: 'kubernetes', help: 'Accepted; nothing uses it without a cloud provider.' },
  'node-cidr-mask-size': { type: 'int', default: '24', help: "Length of a node's block." },
  'service-cluster-ip-range': { type: 'string', help: 'Range of Service addresses.' },
  'root-ca-file': { type: 'string', help: 'Authority that kube-root-ca.crt publishes, PEM.' },
  'cluster-signing-cert-file': { type: 'string', help: 'Authority that signs certificate requests, PEM.' },
  'cluster-signing-key-file': { type: 'string', help: 'Its key, PEM.' },
  'requestheader-client-ca-file': { type: 'string', help: 'Accepted; there is no server of our own.' },
  'client-ca-file': { type: 'string', help: 'Accepted; there is no server of our own.' },
  'service-account-private-key-file': { type: 'string', help: 'Key that signs the tokens in Secrets, PEM.' },
  'use-service-account-credentials': { type: 'bool', default: 'false', help: 'Each controller acts as its service account.' },
  controllers: { type: 'strings', default: '*', help: 'Controllers to run: *, NAME, -NAME.' },
  'node-monitor-grace-period': { type: 'duration', default: '50s', help: 'How long a node may be silent before it is unreachable.' },
  'terminated-pod-gc-threshold': { type: 'int', default: '12500', help: 'How many ended Pods may exist; 0 is no limit.' },
};

/** Runs until `signal`. @throws {FlagError} For what cannot be used. */
export async function runControllerManagerCommand(args: readonly string[], signal: AbortSignal): Promise<void> {
  const command = readCommand(NAME, args, FLAGS);
  if (command === undefined) return;
  const { flags, logger } = command;
  using connection = connectComponent(NAME, flags);
  const { client, config } = connection;
  using clients = flags.bool('use-service-account-credentials') ? tokenClients(client, config) : undefined;
  await runControllerManager({
    client,
    ...(clients === undefined ? {} : { clientFor: clients.of }),
    clock: systemClock,
    logger,
    signal,
    ...settingsOf(flags),
  });
}

function settingsOf(flags: Flags) {
  const allocates = flags.bool('allocate-node-cidrs');
  if (allocates && flags.string('cluster-cidr') === '') throw new FlagError('flag --allocate-node-cidrs needs --cluster-cidr');
  return {
    leaderElect: flags.bool('leader-elect'),
    clusterCidr: allocates ? flags.string('cluster-cidr') : '',
    nodeCidrMaskSize: flags.int('node-cidr-mask-size'),
    serviceClusterIpRange: flags.string('service-cluster-ip-range'),
    rootCa: readOptional(flags.string('root-ca-file')) ?? '',
    signing: signingOf(flags),
    serviceAccountKey: readOptional(flags.string('service-account-private-key-file')),
    controllers: flags.strings('controllers'),
    nodeMonitorGracePeriodMs: flags.duration('node-monitor-grace-period'),
    terminatedPodGcThreshold: flags.int('terminated-pod-gc-threshold'),
  };
}

function signingOf(flags: Flags): SigningAuthority | undefined {
  const certificate = readOptional(flags.string('cluster-signing-cert-file'));
  const key = readOptional(flags.string('cluster-signing-key-file'));
  if ((certificate === undefined) !== (key === undefined))
    throw new FlagError('flags --cluster-signing-cert-file and --cluster-signing-key-file belong together');
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

function readOptional(path: string): string | undefined {
  return path === '' ? undefined : readFileSync(path, 'utf8');
}
