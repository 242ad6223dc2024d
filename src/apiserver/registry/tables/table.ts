// SPDX-License-Identifier: Apache-2.0
// Makes `TableColumns` from pairs of a column and the rule for its cell.
import type { DeepReadonly, KubeObject } from '#machinery';
import type { TableColumn, TableColumns } from '../strategy.ts';
import { AGE, ageOf, NAME } from './cells.ts';

export type Cell<T> = (object: DeepReadonly<T>, now: number) => unknown;
export type Pair<T> = readonly [TableColumn, Cell<T>];

export function table<T extends KubeObject>(...pairs: readonly Pair<T>[]): TableColumns {
  return {
    columns: pairs.map(([column]) => column),
    cells: (object, now) => pairs.map(([, cell]) => cell(object as unknown as DeepReadonly<T>, now)),
  };
}

export function name<T extends KubeObject>(): Pair<T> {
  return [NAME, (object) => (object as DeepReadonly<KubeObject>).metadata.name ?? ''];
}

export function age<T extends KubeObject>(): Pair<T> {
  return [AGE, (object, now) => ageOf(object as DeepReadonly<KubeObject>, now)];
}

/** The two wide columns of workloads. */
export function containersText(containers: readonly { readonly name: string }[] | undefined): string {
  return (containers ?? []).map((container) => container.name).join(',');
}

export function imagesText(containers: readonly { readonly image?: string | undefined }[] | undefined): string {
  return (containers ?? []).map((container) => container.image ?? '').join(',');
}

/** Addresses of a load balancer, each once, in order; as kubectl's wide form has them: never cut. */
export function balancersText(balancer: { readonly ingress?: readonly Balancer[] | null | undefined } | undefined): readonly string[] {
  const addresses = (balancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
  return [...new Set(addresses.filter((text) => text !== ''))].sort();
}

interface Balancer {
  readonly ip?: string | undefined;
  readonly hostname?: string | undefined;
}

/** The first of a list, and how many more there are. */
export function withMore(texts: readonly string[], most: number): string {
  const more = texts.length - most;
  return `${texts.slice(0, most).join(',')}${more > 0 ? ` + ${more} more...` : ''}`;
}
