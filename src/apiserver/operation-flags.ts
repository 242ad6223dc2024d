// SPDX-License-Identifier: Apache-2.0
// Upstream's flags of what `operations.ts` does: timeouts, stopping, fairness, audit, encryption, debugging.
import { FlagError, type FlagSpecs, type Flags } from '#component';
import type { BatchOptions } from './audit/backend.ts';
import type { AuditMode, AuditOptions } from './audit/mod.ts';
import type { TruncateOptions } from './audit/truncate.ts';
import { checkOrigins } from './filters/cors.ts';
import { checkDirectives } from './filters/strict-transport.ts';
import type { OperationsOptions } from './operations.ts';

const MODES = 'batch, blocking or blocking-strict.';

function batchFlags(
  of: 'log' | 'webhook',
  defaults: { size: string; wait?: string; qps?: string; burst?: string; throttle: string },
): FlagSpecs {
  return {
    [`audit-${of}-batch-buffer-size`]: { type: 'int', default: '10000', help: 'Events held back at most.' },
    [`audit-${of}-batch-max-size`]: { type: 'int', default: defaults.size, help: 'Events of a batch at most.' },
    [`audit-${of}-batch-max-wait`]: { type: 'duration', default: defaults.wait ?? '0s', help: 'How long a batch waits to be full.' },
    [`audit-${of}-batch-throttle-enable`]: { type: 'bool', default: defaults.throttle, help: 'Whether batches are throttled.' },
    [`audit-${of}-batch-throttle-qps`]: { type: 'string', default: defaults.qps ?? '0', help: 'Batches per second.' },
    [`audit-${of}-batch-throttle-burst`]: { type: 'int', default: defaults.burst ?? '0', help: 'Batches at once.' },
  };
}

function truncateFlags(of: 'log' | 'webhook'): FlagSpecs {
  return {
    [`audit-${of}-truncate-enabled`]: { type: 'bool', default: 'false', help: 'Large events go without request and response.' },
    [`audit-${of}-truncate-max-batch-size`]: { type: 'int', default: '10485760', help: 'Bytes of events sent at once.' },
    [`audit-${of}-truncate-max-event-size`]: { type: 'int', default: '102400', help: 'Bytes of an event.' },
  };
}

export const OPERATION_FLAGS: FlagSpecs = {
  'request-timeout': { type: 'duration', default: '1m0s', help: 'How long a request may take that is not long-running.' },
  'min-request-timeout': { type: 'int', default: '1800', help: 'Seconds that a watch lasts at least, where it does not say.' },
  'goaway-chance': {
    type: 'string',
    default: '0',
    help: 'Part of the requests after which HTTP/2 clients are asked to connect anew: 0 to 0.02.',
  },
  'cors-allowed-origins': { type: 'strings', help: 'Regular expressions of origins whose pages may ask this server.' },
  'strict-transport-security-directives': { type: 'strings', help: 'What browsers are told: max-age=N, includeSubDomains, preload.' },
  'shutdown-delay-duration': {
    type: 'duration',
    default: '0s',
    help: 'How long requests are still served, unready, before the server stops.',
  },
  'shutdown-send-retry-after': { type: 'bool', default: 'false', help: 'A server that stops answers 429 with Retry-After.' },
  'enable-priority-and-fairness': {
    type: 'bool',
    default: 'true',
    help: 'Requests are bounded by FlowSchemas and PriorityLevelConfigurations.',
  },
  profiling: { type: 'bool', default: 'true', help: 'Profiles under /debug/pprof/.' },
  'encryption-provider-config': {
    type: 'string',
    help: 'EncryptionConfiguration: which resources are encrypted in the store, by which keys.',
  },
  'encryption-provider-config-automatic-reload': {
    type: 'bool',
    default: 'false',
    help: 'The configuration is read again when it changes.',
  },
  'audit-policy-file': { type: 'string', help: 'Policy: what is audited.' },
  'audit-log-path': { type: 'string', help: 'File of the audit log; - is standard output.' },
  'audit-log-mode': { type: 'string', default: 'blocking', help: MODES },
  'audit-log-format': { type: 'string', default: 'json', help: 'json or legacy.' },
  'audit-log-maxage': { type: 'int', default: '366', help: 'Days that old files are kept.' },
  'audit-log-maxbackup': { type: 'int', default: '100', help: 'Old files that are kept.' },
  'audit-log-maxsize': { type: 'int', default: '100', help: 'Megabytes of a file before it rotates.' },
  'audit-log-compress': { type: 'bool', default: 'false', help: 'Old files are packed with gzip.' },
  'audit-log-version': { type: 'string', default: 'audit.k8s.io/v1', help: 'Version of the events.' },
  'audit-webhook-config-file': { type: 'string', help: 'Kubeconfig of the audit webhook.' },
  'audit-webhook-mode': { type: 'string', default: 'batch', help: MODES },
  'audit-webhook-initial-backoff': { type: 'duration', default: '10s', help: 'Pause before the second try.' },
  'audit-webhook-version': { type: 'string', default: 'audit.k8s.io/v1', help: 'Version of the events.' },
  ...truncateFlags('log'),
  ...truncateFlags('webhook'),
  ...batchFlags('log', { size: '1', throttle: 'false' }),
  ...batchFlags('webhook', { size: '400', wait: '30s', qps: '10', burst: '15', throttle: 'true' }),
};

/** @throws {FlagError} For what cannot be used. */
export function operationsFrom(flags: Flags): OperationsOptions {
  const goawayChance = Number(flags.string('goaway-chance'));
  if (!(goawayChance >= 0 && goawayChance <= 0.02)) throw new FlagError('--goaway-chance can not be less than 0 or greater than 0.02');
  const requestTimeoutMs = flags.duration('request-timeout');
  if (requestTimeoutMs < 0) throw new FlagError('--request-timeout can not be negative value');
  const minRequestTimeoutSeconds = flags.int('min-request-timeout');
  if (minRequestTimeoutSeconds < 0) throw new FlagError('--min-request-timeout can not be negative value');
  const shutdownDelayMs = flags.duration('shutdown-delay-duration');
  if (shutdownDelayMs < 0) throw new FlagError('--shutdown-delay-duration can not be negative value');
  for (const name of ['max-requests-inflight', 'max-mutating-requests-inflight'])
    if (flags.int(name) < 0) throw new FlagError(`--${name} can not be negative value`);
  const priorityAndFairness = flags.bool('enable-priority-and-fairness');
  if (priorityAndFairness && flags.int('max-requests-inflight') + flags.int('max-mutating-requests-inflight') <= 0)
    throw new FlagError(
      '--max-requests-inflight and --max-mutating-requests-inflight must not both be 0 with --enable-priority-and-fairness',
    );
  return {
    requestTimeoutMs,
    minRequestTimeoutSeconds,
    goawayChance,
    corsAllowedOrigins: checkOrigins(flags.strings('cors-allowed-origins')),
    strictTransport: checkDirectives(flags.strings('strict-transport-security-directives')),
    shutdownDelayMs,
    shutdownSendRetryAfter: flags.bool('shutdown-send-retry-after'),
    priorityAndFairness,
    profiling: flags.bool('profiling'),
    flags: flags.all(),
    audit: auditFrom(flags),
  };
}

/** Undefined where there is no policy or nowhere to write. @throws {FlagError} */
function auditFrom(flags: Flags): AuditOptions | undefined {
  const policyFile = flags.string('audit-policy-file');
  const path = flags.string('audit-log-path');
  const configFile = flags.string('audit-webhook-config-file');
  for (const backend of ['log', 'webhook']) {
    if (flags.string(`audit-${backend}-version`) !== 'audit.k8s.io/v1')
      throw new FlagError(
        `invalid audit-${backend} group version ${flags.string(`audit-${backend}-version`)}, allowed versions are "audit.k8s.io/v1"`,
      );
  }
  if (policyFile === '' || (path === '' && configFile === '')) return undefined;
  const format = flags.string('audit-log-format');
  if (format !== 'json' && format !== 'legacy')
    throw new FlagError(`invalid audit log format ${format}, allowed formats are "legacy,json"`);
  const log = {
    path,
    format: format as 'json' | 'legacy',
    maxAgeDays: flags.int('audit-log-maxage'),
    maxBackups: flags.int('audit-log-maxbackup'),
    maxSizeMegabytes: flags.int('audit-log-maxsize') || 100,
    compress: flags.bool('audit-log-compress'),
    mode: modeOf(flags, 'log'),
    batch: batchOf(flags, 'log'),
    truncate: truncateOf(flags, 'log'),
  };
  const webhook = {
    configFile,
    mode: modeOf(flags, 'webhook'),
    batch: batchOf(flags, 'webhook'),
    truncate: truncateOf(flags, 'webhook'),
    initialBackoffMs: flags.duration('audit-webhook-initial-backoff'),
  };
  return { policyFile, log: path === '' ? undefined : log, webhook: configFile === '' ? undefined : webhook };
}

function modeOf(flags: Flags, of: string): AuditMode {
  const mode = flags.string(`audit-${of}-mode`);
  if (mode !== 'batch' && mode !== 'blocking' && mode !== 'blocking-strict')
    throw new FlagError(`invalid audit ${of} mode ${mode}, allowed modes are "batch,blocking,blocking-strict"`);
  return mode;
}

/** @throws {FlagError} */
function truncateOf(flags: Flags, of: string): TruncateOptions | undefined {
  const name = (suffix: string) => `audit-${of}-truncate-${suffix}`;
  if (!flags.bool(name('enabled'))) return undefined;
  const maxBatchBytes = flags.int(name('max-batch-size'));
  const maxEventBytes = flags.int(name('max-event-size'));
  if (maxEventBytes <= 0) throw new FlagError(`invalid audit truncate ${of} max event size ${maxEventBytes}, must be a positive number`);
  if (maxBatchBytes < maxEventBytes)
    throw new FlagError(
      `invalid audit truncate ${of} max batch size (${maxBatchBytes}), must be greater than max event size (${maxEventBytes})`,
    );
  return { maxBatchBytes, maxEventBytes };
}

function batchOf(flags: Flags, of: string): BatchOptions {
  const name = (suffix: string) => `audit-${of}-batch-${suffix}`;
  const qps = Number(flags.string(name('throttle-qps')));
  const throttled = flags.bool(name('throttle-enable'));
  if (throttled && !(qps > 0)) throw new FlagError(`invalid audit batch ${of} throttle QPS ${qps}, must be a positive number`);
  return {
    bufferSize: flags.int(name('buffer-size')),
    maxBatchSize: Math.max(1, flags.int(name('max-size'))),
    maxWaitMs: flags.duration(name('max-wait')),
    throttle: throttled ? { qps, burst: flags.int(name('throttle-burst')) } : undefined,
  };
}
