// SPDX-License-Identifier: Apache-2.0
// The frames of a watch, with somebody told when they are asked for and when nobody reads them any more. Needed where a request has
// no connection whose end would tell: those of the same process.
import type { WatchResult } from '../request/context.ts';

export interface FrameObserver {
  /** Before a batch is made; the first is 1. */
  readonly asked?: (count: number) => void;
  /** Once: the frames have ended, failed, or were given up. */
  readonly ended?: () => void;
}

export function observedFrames(result: WatchResult, { asked, ended }: FrameObserver): WatchResult {
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    ended?.();
  };
  const frames: WatchResult['frames'] = {
    [Symbol.asyncIterator]() {
      const inner = result.frames[Symbol.asyncIterator]();
      let count = 0;
      return {
        async next() {
          count += 1;
          asked?.(count);
          try {
            const taken = await inner.next();
            if (taken.done === true) end();
            return taken;
          } catch (error) {
            end();
            throw error;
          }
        },
        async return() {
          end();
          return (await inner.return?.()) ?? { done: true, value: undefined };
        },
      };
    },
  };
  return { ...result, frames };
}
