// SPDX-License-Identifier: Apache-2.0
// How the end of a remote command is told: a Status on the error channel, as protocol v4 and later have it.
// @source upstream apimachinery pkg/util/remotecommand, kubelet cri/streaming/remotecommand
import type { Status } from '#machinery';

/** Upstream sends it without kind and version here. */
export type RemoteStatus = Omit<Status, 'kind' | 'apiVersion'>;

export function exitStatus(exitCode: number): RemoteStatus {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

export function failureStatus(error: unknown): RemoteStatus {
  const message = error instanceof Error ? error.message : String(error);
  return { metadata: {}, status: 'Failure', message, reason: 'InternalError', details: { causes: [{ message }] }, code: 500 };
}
