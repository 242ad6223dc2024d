// SPDX-License-Identifier: Apache-2.0
// The frames of a watch, with somebody told when they are asked for and when nobody reads them any more. Needed where a request has
// no connection whose end would tell: those of the same process.
import type { WatchResult } from '../request/context.ts';

export interface FrameObserver {
  /** Once: all of the state that the watch begins with was taken, and more is asked for. */
  readonly begun?: () => void;
  /** Once: the frames have ended, failed, or were given up. */
  readonly ended?: () => void;
}

export function observedFrames(result: WatchResult, { begun, ended }: FrameObserver): WatchResult {
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    ended?.();
  };
  const frames: WatchResult['frames'] = {
    [Symbol.asyncIterator]() {
      const inner = result.frames[Symbol.asyncIterator]();
      let inState = true;
      let isBegun = false;
      return {
        async next() {
          if (!inState && !isBegun) begun?.();
          isBegun = !inState;
          try {
            const taken = await inner.next();
            if (taken.done === true) end();
            else inState = taken.value.at(-1)?.alone === true;
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
