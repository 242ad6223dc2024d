// SPDX-License-Identifier: Apache-2.0
// The Pod network by CNI plugins, as libcni and containerd drive them: chained ADD with `prevResult`, DEL in reverse from what was
// cached at ADD, so that a changed or missing configuration cannot leave addresses behind. CHECK is on request.
import { watch } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodNetwork, PodNetworkRequest, PodNetworkResult } from '../network.ts';
import { type ConfList, type Loaded, loadConfList } from './conflist.ts';
import { type CniCommand, CniError, type CniResult, invokePlugin } from './plugin.ts';

export interface CniNetworkOptions {
  /** `/etc/cni/net.d`; watched. */
  readonly confDir: string;
  readonly binDirs: readonly string[];
  /** Results of ADD, one file per sandbox. */
  readonly cacheDir: string;
  /** @default eth0 */
  readonly interfaceName?: string;
}

/** What DEL needs. */
interface Cached {
  readonly list: ConfList;
  readonly result: CniResult | undefined;
  readonly request: PodNetworkRequest;
}

/** Loads the configuration and watches it until `signal`. */
export async function createCniNetwork(options: CniNetworkOptions, signal: AbortSignal): Promise<CniNetwork> {
  await mkdir(options.confDir, { recursive: true });
  await mkdir(options.cacheDir, { recursive: true });
  const network = new CniNetwork(options);
  const watcher = watch(options.confDir, { signal }, () => void network.reload());
  watcher.on('error', () => {}); // The folder went away: what was loaded stays.
  await network.reload();
  return network;
}

export class CniNetwork implements PodNetwork {
  readonly #options: CniNetworkOptions;
  #loaded: Loaded = { problem: 'cni plugin not initialized' };
  readonly #listeners = new Set<() => void>();

  constructor(options: CniNetworkOptions) {
    this.#options = options;
  }

  async reload(): Promise<void> {
    const loaded = await loadConfList(this.#options.confDir);
    const before = this.notReadyReason();
    this.#loaded = loaded;
    if (this.notReadyReason() !== before) for (const listener of this.#listeners) listener();
  }

  /** Called when readiness changes. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  notReadyReason(): string | undefined {
    return 'problem' in this.#loaded ? 'Network plugin returns error: cni plugin not initialized' : undefined;
  }

  async setUp(request: PodNetworkRequest, signal?: AbortSignal): Promise<PodNetworkResult> {
    if ('problem' in this.#loaded) throw new CniError(`cni config uninitialized: ${this.#loaded.problem}`);
    const { list } = this.#loaded;
    await this.#store({ list, result: undefined, request });
    try {
      let result: CniResult | undefined;
      for (const plugin of list.plugins) result = await this.#invoke('ADD', list, plugin, request, result, signal);
      await this.#store({ list, result, request });
      const ips = (result?.ips ?? []).map(({ address }) => address.replace(/\/\d+$/, ''));
      if (ips.length === 0) throw new CniError(`network "${list.name}" gave no address`);
      return { ips };
    } catch (error) {
      await this.tearDown(request).catch(() => {}); // The first error is the one to tell.
      throw error;
    }
  }

  async tearDown(request: PodNetworkRequest): Promise<void> {
    const cached = await this.#find(request.sandboxId);
    if (cached === undefined) return; // Never set up, or already down.
    for (const plugin of [...cached.list.plugins].reverse())
      await this.#invoke('DEL', cached.list, plugin, cached.request, cached.result, undefined);
    await rm(this.#file(request.sandboxId), { force: true });
  }

  /** Asks the plugins whether the network of a sandbox is as they left it. @throws {CniError} If not. */
  async check(sandboxId: string): Promise<void> {
    const cached = await this.#find(sandboxId);
    if (cached === undefined) throw new CniError(`sandbox "${sandboxId}" has no network`);
    for (const plugin of cached.list.plugins) await this.#invoke('CHECK', cached.list, plugin, cached.request, cached.result, undefined);
  }

  async #invoke(
    command: CniCommand,
    list: ConfList,
    plugin: ConfList['plugins'][number],
    request: PodNetworkRequest,
    previous: CniResult | undefined,
    signal: AbortSignal | undefined,
  ): Promise<CniResult | undefined> {
    const { sandboxId, podName, podNamespace, podUid, networkNamespace } = request;
    const pod = `K8S_POD_NAMESPACE=${podNamespace};K8S_POD_NAME=${podName};K8S_POD_INFRA_CONTAINER_ID=${sandboxId};K8S_POD_UID=${podUid}`;
    const result = await invokePlugin({
      command,
      type: plugin.type,
      config: pluginInput(list, plugin, request, previous),
      containerId: sandboxId,
      networkNamespace,
      interfaceName: this.#options.interfaceName ?? 'eth0',
      args: `IgnoreUnknown=1;${pod}`,
      binDirs: this.#options.binDirs,
      signal,
    });
    return result ?? previous;
  }

  #file(sandboxId: string): string {
    return join(this.#options.cacheDir, `${sandboxId}.json`);
  }

  async #store(cached: Cached): Promise<void> {
    const file = this.#file(cached.request.sandboxId);
    await writeFile(`${file}.draft`, JSON.stringify(cached), { mode: 0o600 });
    await rename(`${file}.draft`, file);
  }

  async #find(sandboxId: string): Promise<Cached | undefined> {
    try {
      return JSON.parse(await readFile(this.#file(sandboxId), 'utf8')) as Cached;
    } catch {
      return undefined;
    }
  }
}

/** A plugin's standard input: its own configuration, the list's name and version, capabilities it asked for, the result so far. */
export function pluginInput(
  list: ConfList,
  plugin: ConfList['plugins'][number],
  request: Pick<PodNetworkRequest, 'portMappings'>,
  previous: CniResult | undefined,
): object {
  const { capabilities, ...own } = plugin;
  const portMappings = request.portMappings
    .filter((mapping) => mapping.hostPort > 0)
    .map(({ hostPort, containerPort, protocol, hostIp }) => ({
      hostPort,
      containerPort,
      protocol: protocol.toLowerCase(),
      ...(hostIp === '' ? {} : { hostIP: hostIp }),
    }));
  const wantsPorts = capabilities?.['portMappings'] === true && portMappings.length > 0;
  return {
    ...own,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(wantsPorts ? { runtimeConfig: { portMappings } } : {}),
    ...(previous === undefined ? {} : { prevResult: previous }),
  };
}
