// SPDX-License-Identifier: Apache-2.0
// `sagong image load|list|rm`: the images of this machine's nodes, who share one store. Works whether or not the cluster runs.
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { nodes, pods } from '#api/resources';
import { silentLogger, systemClock } from '#component';
import { createEmbeddedRuntime, loadImageArchive } from '#runtime/embedded';
import type { Layout } from './layout.ts';
import { CONTROL_PLANE, findSettings } from './layout.ts';
import { findProcess } from './processes.ts';
import { adminClient } from './status.ts';
import { UserError } from './user-error.ts';

/** @throws {UserError} If the file is no archive of an image. */
export async function loadImage(layout: Layout, file: string, say: (text: string) => void): Promise<void> {
  if (!existsSync(file)) throw new UserError(`there is no file ${JSON.stringify(file)}`);
  try {
    for (const image of await loadImageArchive(layout.images, file)) say(`loaded ${image.tags.join(', ') || image.id}`);
  } catch (error) {
    throw new UserError(`load ${basename(file)}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** The image service over the shared store, without any containers. */
function imagesOf(layout: Layout) {
  const stateDir = `${layout.images}/.cli`;
  return createEmbeddedRuntime({
    root: layout.images,
    stateDir,
    network: undefined,
    logger: silentLogger,
    clock: systemClock,
    cgroupRoot: '/sagong',
  });
}

export async function listImages(layout: Layout, say: (text: string) => void): Promise<void> {
  await using runtime = imagesOf(layout);
  await runtime.start(AbortSignal.timeout(30_000));
  say(`${'IMAGE'.padEnd(56)}${'ID'.padEnd(16)}SIZE`);
  for (const { tags, digests, id, sizeBytes } of runtime.images.list()) {
    const name = tags[0] ?? digests[0] ?? '<none>';
    say(`${name.padEnd(56)}${id.replace('sha256:', '').slice(0, 12).padEnd(16)}${(sizeBytes / 1_000_000).toFixed(1)} MB`);
  }
}

/** @throws {UserError} If there is no such image, or a container of a node needs it. */
export async function removeImage(layout: Layout, name: string, say: (text: string) => void): Promise<void> {
  await using runtime = imagesOf(layout);
  await runtime.start(AbortSignal.timeout(30_000));
  const found = runtime.images.find(name);
  if (found === undefined) throw new UserError(`there is no image ${JSON.stringify(name)}: see "sagong image list"`);
  await refuseIfUsed(layout, found.id, name);
  await runtime.images.remove(found.id);
  say(`removed ${name}`);
}

/** Asks the API which images running containers have; a cluster that does not run uses none. */
async function refuseIfUsed(layout: Layout, id: string, name: string): Promise<void> {
  if (findSettings(layout) === undefined || findProcess(layout, CONTROL_PLANE) === undefined) return;
  const { client, transport } = adminClient(layout);
  using _transport = transport;
  const [{ items }] = await Promise.all([client.list(pods), client.list(nodes, { limit: 1 })]);
  const user = items.find(({ status }) =>
    (status.containerStatuses ?? []).some((container) => container.imageID.endsWith(id) && container.state?.running !== undefined),
  );
  if (user !== undefined)
    throw new UserError(`image ${name} is used by the Pod ${user.metadata.namespace}/${user.metadata.name}: delete that first`);
}
