// SPDX-License-Identifier: Apache-2.0
// Network configurations as libcni finds them: the first valid `.conflist`, `.conf` or `.json` of a folder, by name.
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

export interface PluginConfig {
  readonly type: string;
  readonly capabilities?: Readonly<Record<string, boolean>>;
  readonly [key: string]: unknown;
}

export interface ConfList {
  readonly name: string;
  readonly cniVersion: string;
  readonly plugins: readonly PluginConfig[];
}

const EXTENSIONS = new Set(['.conflist', '.conf', '.json']);
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

export type Loaded = { readonly list: ConfList } | { readonly problem: string };

/** Never throws: a problem is a reason the node is not ready. */
export async function loadConfList(folder: string): Promise<Loaded> {
  const names = await readdir(folder).catch(() => []);
  let problem = `no networks found in ${folder}`;
  for (const name of names.filter((each) => EXTENSIONS.has(extname(each))).sort()) {
    try {
      return { list: decodeConfList(JSON.parse(await readFile(join(folder, name), 'utf8'))) };
    } catch (error) {
      problem = `no valid networks found in ${folder}: ${name}: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return { problem };
}

/** A list, or a single plugin's configuration as a list of one. @throws {Error} If it is neither. */
export function decodeConfList(value: unknown): ConfList {
  if (typeof value !== 'object' || value === null) throw new Error('no object');
  const { name, cniVersion = '0.1.0', plugins } = value as { name?: unknown; cniVersion?: unknown; plugins?: unknown };
  const list = plugins === undefined ? [value] : plugins;
  if (typeof name !== 'string' || !NAME.test(name)) throw new Error(`invalid network name ${JSON.stringify(name)}`);
  if (typeof cniVersion !== 'string') throw new Error('invalid cniVersion');
  if (!Array.isArray(list) || list.length === 0) throw new Error('no plugins');
  for (const plugin of list as { type?: unknown }[])
    if (typeof plugin?.type !== 'string' || !NAME.test(plugin.type)) throw new Error(`invalid plugin type ${JSON.stringify(plugin?.type)}`);
  return { name, cniVersion, plugins: list as PluginConfig[] };
}
