// SPDX-License-Identifier: Apache-2.0
// Puts an applied configuration into an object (structured-merge-diff's merge). What is null or empty in the configuration leaves a
// record or list as it is. Items that both sides have stand in the configuration's order, the object's own between them where they
// stood; items that the object has several times under one key become the configuration's one.
// @source structured-merge-diff typed/merge.go
import { deepCopy, setOwn } from '../deep-copy.ts';
import type { Schema } from '../schema.ts';
import { elementSchema, hasNothing, isOpen, isRecord, itemElement, type Json, memberSchema, own, shapeOf } from './shape.ts';

/** The object with the configuration on top; shares nothing with the configuration. */
export function mergeConfiguration(live: unknown, config: unknown, schema: Schema | undefined): unknown {
  if (config === undefined) return live;
  // Null takes whatever form the other side has.
  const shape = isOpen(schema) && config === null && isRecord(live) ? 'record' : shapeOf(schema, config);
  if (shape === 'record') return mergeRecords(isRecord(live) ? live : undefined, config, schema);
  if (shape === 'list') return mergeLists(Array.isArray(live) ? live : [], config, schema);
  return deepCopy(config);
}

function mergeRecords(live: Json | undefined, config: unknown, schema: Schema | undefined): unknown {
  if (!isRecord(config) || hasNothing(config)) return live === undefined || hasNothing(live) ? deepCopy(config) : live;
  const result: Json = { ...live };
  for (const [name, value] of Object.entries(config))
    setOwn(result, name, mergeConfiguration(own(live, name), value, memberSchema(schema, name).schema));
  return result;
}

function mergeLists(live: readonly unknown[], config: unknown, schema: Schema | undefined): unknown {
  if (!Array.isArray(config) || config.length === 0) return live.length === 0 ? deepCopy(config) : live;
  return new ListMerge(live, config, schema).run();
}

/** Goes along both lists at once. */
class ListMerge {
  readonly #schema: Schema | undefined;
  readonly #live: readonly unknown[];
  readonly #liveElements: readonly string[];
  readonly #known = new Map<string, unknown>();
  readonly #wanted = new Map<string, unknown>();
  /** Elements of both lists that are still to come, in the configuration's order. */
  readonly #shared: string[];
  readonly #merged = new Set<string>();
  readonly #result: unknown[] = [];

  constructor(live: readonly unknown[], config: readonly unknown[], schema: Schema | undefined) {
    this.#schema = schema;
    this.#live = live;
    this.#liveElements = live.map((item) => itemElement(schema, item));
    for (const [index, element] of this.#liveElements.entries()) {
      // Items under one key are replaced as one.
      this.#known.set(element, this.#known.has(element) ? null : live[index]);
    }
    for (const item of config) this.#wanted.set(itemElement(schema, item), item);
    this.#shared = [...this.#wanted.keys()].filter((element) => this.#known.has(element));
  }

  run(): unknown[] {
    const wanted = [...this.#wanted.keys()];
    let next = 0;
    for (const element of wanted) {
      next = this.#passLive(next, element);
      this.#merge(element);
    }
    this.#passLive(next, undefined);
    return this.#result;
  }

  /** Takes items that only the object has, up to where the configuration's item stands. */
  #passLive(from: number, element: string | undefined): number {
    let next = from;
    for (; next < this.#liveElements.length; next++) {
      const at = this.#liveElements[next] ?? '';
      const [nextShared] = this.#shared;
      if (!this.#wanted.has(at)) this.#result.push(this.#live[next]);
      else if (at === element) return next + 1;
      else if (element !== undefined && (nextShared === undefined || nextShared === at)) {
        // It waits for its turn on the other side, or has had it.
        return this.#merged.has(at) ? next + 1 : next;
      }
    }
    return next;
  }

  #merge(element: string): void {
    this.#merged.add(element);
    if (this.#shared[0] === element) this.#shared.shift();
    const merged = mergeConfiguration(this.#known.get(element), this.#wanted.get(element), elementSchema(this.#schema));
    this.#result.push(merged);
  }
}
