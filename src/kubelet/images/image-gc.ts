// SPDX-License-Identifier: Apache-2.0
// Image clean-up: above the high mark, unused images go, least recently used first, down to the low mark.
// @source upstream pkg/kubelet/images/image_gc_manager.go
import type { EventSubject } from '#client';
import type { Clock, Logger } from '#component';
import type { Image, Runtime } from '#runtime';
import type { ImageGcPolicy } from '../options.ts';
import type { EventRecorder } from '../recorder.ts';

interface Deps {
  readonly runtime: Runtime;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
  readonly policy: ImageGcPolicy;
  node(): EventSubject;
}

interface Seen {
  readonly detectedAt: number;
  usedAt: number;
}

const PERIOD_MS = 5 * 60_000;

export class ImageGc {
  readonly #deps: Deps;
  readonly #seen = new Map<string, Seen>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    while (!signal.aborted) {
      this.#look();
      await this.#collect().catch((error: unknown) => logger.warn({ err: error }, 'Image clean-up failed'));
      await clock.sleep(PERIOD_MS, signal).catch(() => {});
    }
  }

  /** Whatever no container uses goes, whatever its age: the disk is full. */
  async removeUnused(): Promise<void> {
    const inUse = this.#look();
    for (const image of this.#deps.runtime.images.list()) if (!inUse.has(image.id)) await this.#remove(image);
  }

  /** @returns The images in use. */
  #look(): Set<string> {
    const { runtime, clock } = this.#deps;
    const now = clock.now();
    const inUse = new Set(runtime.listContainers().map((container) => container.imageId));
    const present = new Set<string>();
    for (const { id } of runtime.images.list()) {
      present.add(id);
      const seen = this.#seen.get(id) ?? { detectedAt: now, usedAt: 0 };
      if (inUse.has(id)) seen.usedAt = now;
      this.#seen.set(id, seen);
    }
    for (const id of this.#seen.keys()) if (!present.has(id)) this.#seen.delete(id);
    return inUse;
  }

  async #collect(): Promise<void> {
    const { runtime, policy, recorder } = this.#deps;
    const { usedBytes, capacityBytes } = await runtime.images.usage();
    if (capacityBytes === 0) return;
    const percent = Math.floor((usedBytes * 100) / capacityBytes);
    if (percent < policy.highThresholdPercent) return;
    const target = usedBytes - (capacityBytes * policy.lowThresholdPercent) / 100;
    const freed = await this.#free(target);
    if (freed < target) {
      const message = `Failed to garbage collect required amount of images. Attempted to free ${Math.floor(target)} bytes, but only found ${freed} bytes eligible to free.`;
      recorder.event(this.#deps.node(), 'Warning', 'FreeDiskSpaceFailed', message);
    }
  }

  async #free(target: number): Promise<number> {
    const { runtime, clock, policy } = this.#deps;
    const inUse = this.#look();
    const idle = runtime.images.list().filter((image) => !inUse.has(image.id));
    const order = (image: Image) => this.#seen.get(image.id) ?? { usedAt: 0, detectedAt: 0 };
    idle.sort((a, b) => order(a).usedAt - order(b).usedAt || order(a).detectedAt - order(b).detectedAt);
    let freed = 0;
    for (const image of idle) {
      if (freed >= target) break;
      if (clock.now() - order(image).detectedAt < policy.minimumAgeMs) continue;
      if (await this.#remove(image)) freed += image.sizeBytes;
    }
    return freed;
  }

  async #remove(image: Image): Promise<boolean> {
    try {
      await this.#deps.runtime.images.remove(image.id);
      this.#seen.delete(image.id);
      return true;
    } catch (error) {
      this.#deps.logger.debug({ err: String(error), image: image.id }, 'Image was not removed');
      return false;
    }
  }
}
