// SPDX-License-Identifier: Apache-2.0
// The fake API's store: one revision counter, the present objects per resource, the history of changes, and the watches on it.
// Watches replay history after their revision and then follow; an object that stops matching a selector is DELETED to that watch.
import { type DeepReadonly, expired, type KubeObject, type Status } from '#machinery';

export interface Change {
  readonly revision: number;
  readonly resource: string;
  readonly before: DeepReadonly<KubeObject> | undefined;
  readonly after: DeepReadonly<KubeObject> | undefined;
}

export interface LogEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}

type Matches = (object: DeepReadonly<KubeObject>) => boolean;

interface Watcher {
  readonly resource: string;
  readonly matches: Matches;
  readonly push: (event: LogEvent) => void;
  readonly end: () => void;
}

export class EventLog {
  readonly #objects = new Map<string, Map<string, DeepReadonly<KubeObject>>>();
  readonly #watchers = new Set<Watcher>();
  #history: Change[] = [];
  #revision = 1;
  #compacted = 0;

  get revision(): number {
    return this.#revision;
  }

  /** How many watches are open: tests see leaks. */
  get watches(): number {
    return this.#watchers.size;
  }

  next(): number {
    this.#revision += 1;
    return this.#revision;
  }

  of(resource: string): Map<string, DeepReadonly<KubeObject>> {
    let objects = this.#objects.get(resource);
    if (objects === undefined) {
      objects = new Map();
      this.#objects.set(resource, objects);
    }
    return objects;
  }

  commit(resource: string, key: string, after: DeepReadonly<KubeObject> | undefined, last?: DeepReadonly<KubeObject>): void {
    const objects = this.of(resource);
    const before = objects.get(key);
    if (after === undefined) objects.delete(key);
    else objects.set(key, after);
    const change: Change = { revision: this.#revision, resource, before: last ?? before, after };
    this.#history.push(change);
    for (const watcher of this.#watchers) {
      const event = watcher.resource === resource ? eventOf(change, watcher.matches) : undefined;
      if (event !== undefined) watcher.push(event);
    }
  }

  /** Forgets history: watches from before get a 410. */
  compact(): void {
    this.#history = [];
    this.#compacted = this.#revision;
  }

  /** Ends every open watch, as a server does now and then. */
  endWatches(): void {
    for (const watcher of [...this.#watchers]) watcher.end();
  }

  /** @param after The revision to go on from; undefined: the present state first, as ADDED events. */
  async *watch(
    resource: string,
    matches: Matches,
    options: { after: number | undefined; bookmark: boolean; signal: AbortSignal | undefined },
  ) {
    const { after, bookmark, signal } = options;
    if (after !== undefined && after < this.#compacted) {
      const { status } = expired(`too old resource version: ${after} (${this.#compacted})`);
      yield { type: 'ERROR', object: status satisfies Status } as LogEvent;
      return;
    }
    const queue: LogEvent[] = after === undefined ? this.#initial(resource, matches, bookmark) : this.#replay(resource, matches, after);
    let ended = signal?.aborted ?? false;
    let wake: () => void = () => undefined;
    const end = () => {
      ended = true;
      wake();
    };
    const push = (event: LogEvent) => {
      queue.push(event);
      wake();
    };
    const watcher: Watcher = { resource, matches, push, end };
    this.#watchers.add(watcher);
    signal?.addEventListener('abort', end, { once: true });
    try {
      for (;;) {
        const event = queue.shift();
        if (event !== undefined && !signal?.aborted) yield event;
        else if (ended) return;
        else {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      }
    } finally {
      this.#watchers.delete(watcher);
      signal?.removeEventListener('abort', end);
    }
  }

  #initial(resource: string, matches: Matches, bookmark: boolean): LogEvent[] {
    const present = [...this.of(resource).values()].filter(matches).map((object): LogEvent => ({ type: 'ADDED', object }));
    if (!bookmark) return present;
    const metadata = { resourceVersion: String(this.#revision), annotations: { 'k8s.io/initial-events-end': 'true' } };
    return [...present, { type: 'BOOKMARK', object: { metadata } }];
  }

  #replay(resource: string, matches: Matches, after: number): LogEvent[] {
    return this.#history
      .filter((change) => change.revision > after && change.resource === resource)
      .flatMap((change) => eventOf(change, matches) ?? []);
  }
}

function eventOf({ before, after, revision }: Change, matches: Matches): LogEvent | undefined {
  const was = before !== undefined && matches(before);
  const is = after !== undefined && matches(after);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object: after };
  if (!was || before === undefined) return undefined;
  // The last state, at the revision of its going.
  return { type: 'DELETED', object: { ...before, metadata: { ...before.metadata, resourceVersion: String(revision) } } };
}
