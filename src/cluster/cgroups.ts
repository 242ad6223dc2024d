// SPDX-License-Identifier: Apache-2.0
// Takes a node's cgroups back, in every hierarchy there is: deepest first, as the kernel demands.
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupRootOf, type NodeSettings } from './layout.ts';

const MOUNT = '/sys/fs/cgroup';

/** Groups that still hold processes stay. Idempotent. */
export function removeCgroups(node: NodeSettings): void {
  const hierarchies = existsSync(join(MOUNT, 'cgroup.controllers')) ? [MOUNT] : readdirSync(MOUNT).map((name) => join(MOUNT, name));
  for (const hierarchy of hierarchies) {
    removeGroup(join(hierarchy, cgroupRootOf(node)));
    removeEmpty(join(hierarchy, 'sagong'));
  }
}

function removeGroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isDirectory()) removeGroup(join(path, entry.name));
  removeEmpty(path);
}

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Absent, or still in use by another node: then that one removes it.
  }
}
