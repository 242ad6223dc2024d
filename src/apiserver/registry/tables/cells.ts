// SPDX-License-Identifier: Apache-2.0
// The small pieces that table columns are made of: ages, label lists, unset values, as kubectl's printers write them.
import type { DeepReadonly, KubeObject, LabelSelector } from '#machinery';
import type { TableColumn } from '../strategy.ts';

export const NAME: TableColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: '',
  priority: 0,
};

export function column(name: string, more: Partial<Omit<TableColumn, 'name'>> = {}): TableColumn {
  return { name, type: 'string', format: '', description: '', priority: 0, ...more };
}

export function wide(name: string, more: Partial<Omit<TableColumn, 'name'>> = {}): TableColumn {
  return column(name, { ...more, priority: 1 });
}

export const AGE: TableColumn = column('Age');

export function createdAt(object: DeepReadonly<KubeObject>): string | null {
  return object.metadata.creationTimestamp ?? null;
}

/** `5d3h`: at most two units, coarser the older (apimachinery's HumanDuration). */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 192) return pair(days, 'd', hours % 24, 'h');
  if (days < 365 * 2) return `${days}d`;
  const years = Math.trunc(days / 365);
  if (days < 365 * 8) return pair(years, 'y', days % 365, 'd');
  return `${years}y`;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}

/** The age of a moment; `<unknown>` where it is unset. */
export function age(time: string | null | undefined, now: number): string {
  if (time === undefined || time === null || time === '') return '<unknown>';
  return humanDuration(now - Date.parse(time));
}

export function ageOf(object: DeepReadonly<KubeObject>, now: number): string {
  return age(object.metadata.creationTimestamp, now);
}

/** `a=b,c=d`, keys in order; `<none>` if empty. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? '<none>' : entries.map(([key, value]) => `${key}=${value}`).join(',');
}

const OPERATORS: Readonly<Record<string, string>> = { In: 'in', NotIn: 'notin' };

/** A selector as a query writes it; `<none>` if empty. */
export function selectorText(selector: DeepReadonly<LabelSelector> | undefined): string {
  if (selector === undefined || selector === null) return '<none>';
  const parts = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => [key, `${key}=${value}`] as const);
  const more = (selector.matchExpressions ?? []).map(({ key, operator, values }) => {
    const text =
      operator === 'Exists'
        ? key
        : operator === 'DoesNotExist'
          ? `!${key}`
          : `${key} ${OPERATORS[operator] ?? operator} (${[...(values ?? [])].sort().join(',')})`;
    return [key, text] as const;
  });
  const all = [...parts, ...more].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return all.length === 0 ? '<none>' : all.map(([, text]) => text).join(',');
}
