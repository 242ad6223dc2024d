// SPDX-License-Identifier: Apache-2.0
// Runs one CNI plugin by the CNI specification 1.0: parameters in the environment, configuration on standard input.
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../commands.ts';

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'VERSION';

export interface Invocation {
  readonly command: CniCommand;
  readonly type: string;
  readonly config: object;
  readonly containerId: string;
  readonly networkNamespace: string;
  readonly interfaceName: string;
  readonly args: string;
  readonly binDirs: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export interface CniResult {
  readonly ips?: readonly { readonly address: string }[];
  readonly [key: string]: unknown;
}

/** Thrown when a plugin refuses or is missing; the text is libcni's. */
export class CniError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CniError';
  }
}

/** The plugin's result; undefined where it prints none (DEL, CHECK). */
export async function invokePlugin(invocation: Invocation): Promise<CniResult | undefined> {
  const { command, type, config, binDirs, signal } = invocation;
  const file = await findPlugin(type, binDirs);
  const env = {
    ...process.env,
    CNI_COMMAND: command,
    CNI_CONTAINERID: invocation.containerId,
    CNI_NETNS: invocation.networkNamespace,
    CNI_IFNAME: invocation.interfaceName,
    CNI_ARGS: invocation.args,
    CNI_PATH: binDirs.join(':'),
  };
  const { code, stdout, stderr } = await runProgram(file, [], { input: JSON.stringify(config), env, signal });
  if (code !== 0) throw new CniError(`plugin type="${type}" failed (${command.toLowerCase()}): ${errorText(stdout, stderr, code)}`);
  if (stdout.trim() === '') return undefined;
  try {
    return JSON.parse(stdout) as CniResult;
  } catch (cause) {
    throw new CniError(`plugin type="${type}" failed (${command.toLowerCase()}): result is no JSON`, { cause });
  }
}

async function findPlugin(type: string, binDirs: readonly string[]): Promise<string> {
  for (const folder of binDirs) {
    const file = join(folder, type);
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  throw new CniError(`failed to find plugin "${type}" in path [${binDirs.join(' ')}]`);
}

function errorText(stdout: string, stderr: string, code: number): string {
  try {
    const { msg, details } = JSON.parse(stdout) as { msg?: string; details?: string };
    if (msg) return details ? `${msg}; ${details}` : msg;
  } catch {
    // No error object: a plugin that crashed.
  }
  return stderr.trim() || stdout.trim() || `exit status ${code}`;
}
