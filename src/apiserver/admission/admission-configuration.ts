// SPDX-License-Identifier: Apache-2.0
// The file of `--admission-control-config-file`: an AdmissionConfiguration with each plugin's own configuration, inline or in a
// file beside it. @source upstream apiserver pkg/admission/config.go, apis/apiserver/v1
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';

/** By plugin. */
export type PluginConfigurations = ReadonlyMap<string, unknown>;

const GROUP = 'apiserver.config.k8s.io';
const VERSIONS = [`${GROUP}/v1`, `${GROUP}/v1alpha1`];

interface AdmissionConfiguration {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly plugins?: readonly { readonly name?: string; readonly path?: string; readonly configuration?: unknown }[];
}

/** @throws {RangeError} If the file is no AdmissionConfiguration. @throws The error of reading it. */
export function readAdmissionConfiguration(path: string): PluginConfigurations {
  const given = parse(readFileSync(path, 'utf8')) as AdmissionConfiguration | null;
  const found = new Map<string, unknown>();
  if (given?.kind !== 'AdmissionConfiguration' || !VERSIONS.includes(given.apiVersion ?? '')) {
    throw new RangeError(
      `read "${path}": want kind AdmissionConfiguration of ${VERSIONS[0]}, got "${given?.kind ?? ''}" of "${given?.apiVersion ?? ''}"`,
    );
  }
  for (const { name, path: file, configuration } of given.plugins ?? []) {
    if (!name) throw new RangeError(`read "${path}": a plugin has no name`);
    if (found.has(name)) throw new RangeError(`read "${path}": plugin "${name}" is configured twice`);
    found.set(name, file ? (parse(readFileSync(resolve(dirname(path), file), 'utf8')) as unknown) : (configuration ?? undefined));
  }
  return found;
}
