// SPDX-License-Identifier: Apache-2.0
// Takes back what one node made, from inside its network namespace: containers and their mounts, rules, interfaces, cgroups.
import { createLogger } from '#component';
import { removeDnsInterface } from '#dns';
import { removeNodeNetwork } from '#network';
import { removeProxyRules } from '#proxy';
import { networkOf, runtimeOf } from './agent.ts';
import { removeCgroups } from './cgroups.ts';
import type { ClusterSettings, Layout, NodeSettings } from './layout.ts';

const CLEANING_MS = 60_000;

/** What `internal clean-node` does. Each step is tried, whatever became of the one before. */
export async function cleanNode(layout: Layout, settings: ClusterSettings, node: NodeSettings): Promise<void> {
  const logger = createLogger({ component: 'down', level: 'warn' });
  const context = { layout, settings, node, log: () => logger };
  const attempt = async (what: string, work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      logger.warn({ what, error: error instanceof Error ? error.message : String(error) }, 'Could not clean up');
    }
  };
  await attempt('containers', () => removeContainers(context));
  await attempt('proxy rules', () => removeProxyRules());
  await attempt('DNS interface', () => removeDnsInterface());
  await attempt('Pod network', () => removeNodeNetwork());
}

async function removeContainers(context: Parameters<typeof runtimeOf>[0]): Promise<void> {
  const signal = AbortSignal.timeout(CLEANING_MS);
  await using runtime = await runtimeOf(context, await networkOf(context, signal));
  await runtime.start(signal);
  await Promise.all(
    runtime.listSandboxes().map(async ({ id }) => {
      await runtime.stopSandbox(id);
      await runtime.removeSandbox(id);
    }),
  );
  removeCgroups(context.node);
}
