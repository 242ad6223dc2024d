// SPDX-License-Identifier: Apache-2.0
// Validation of LimitRanges: names of resources, and least, default and most amounts against each other.
// @source upstream pkg/apis/core/validation/validation.go ValidateLimitRange
import {
  checkQualifiedName,
  compareQuantity,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  findQuantity,
  forbiddenField,
  invalidValue,
  required,
} from '../../machinery/mod.ts';
import type { LimitRange, LimitRangeItem } from '../generated/core/v1.ts';
import { containerResourceNameCauses, isOvercommitable, resourceNameCauses } from './pod-resources.ts';
import { problems, sortedEntries } from './rules.ts';

const SPEC = field('spec');
const PARTS = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;

export function limitRangeCauses({ spec }: DeepReadonly<LimitRange>): FieldCause[] {
  const seen = new Set<string>();
  return (spec?.limits ?? []).flatMap((item, index) => {
    const at = SPEC.child('limits').index(index);
    const causes = problems(checkQualifiedName(item.type ?? ''), at.child('type'), item.type ?? '');
    if (causes.length === 0 && !['Pod', 'Container', 'PersistentVolumeClaim'].includes(item.type) && !item.type.includes('/')) {
      causes.push(invalidValue(at.child('type'), item.type, 'must be a standard limit type or fully qualified'));
    }
    if (seen.has(item.type)) causes.push(duplicateValue(at.child('type'), item.type));
    seen.add(item.type);
    return [...causes, ...limitItemCauses(item, at)];
  });
}

function limitItemCauses(item: DeepReadonly<LimitRangeItem>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const check = item.type === 'Pod' || item.type === 'Container' ? containerResourceNameCauses : resourceNameCauses;
  const names = (part: (typeof PARTS)[number]) => {
    for (const [key] of sortedEntries(item[part])) causes.push(...check(key, path.child(part).key(key)));
  };
  names('max');
  names('min');
  for (const name of ['default', 'defaultRequest'] as const) {
    if (item.type !== 'Pod') names(name);
    else if (Object.keys(item[name] ?? {}).length > 0)
      causes.push(forbiddenField(path.child(name), `may not be specified when \`type\` is 'Pod'`));
  }
  if (item.type === 'PersistentVolumeClaim' && item.min?.['storage'] === undefined && item.max?.['storage'] === undefined) {
    causes.push(required(path.child('limits'), 'either minimum or maximum storage value is required, but neither was provided'));
  }
  names('maxLimitRequestRatio');
  // Defaults of Pods are refused, and not looked at any further.
  const parts = item.type === 'Pod' ? PARTS.filter((name) => name !== 'default' && name !== 'defaultRequest') : PARTS;
  const all = new Set(parts.flatMap((name) => Object.keys(item[name] ?? {})));
  return [...causes, ...[...all].sort().flatMap((name) => limitOrderCauses(item, name, path))];
}

function limitOrderCauses(item: DeepReadonly<LimitRangeItem>, name: string, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const isPod = item.type === 'Pod';
  const text = (part: (typeof PARTS)[number]) => (isPod && part.startsWith('default') ? undefined : item[part]?.[name]);
  const isMore = (a: string | undefined, b: string | undefined) => {
    const [x, y] = [a === undefined ? undefined : findQuantity(a), b === undefined ? undefined : findQuantity(b)];
    return x !== undefined && y !== undefined && compareQuantity(x, y) > 0;
  };
  const [max, min, limit, request, ratio] = PARTS.map(text);
  if (isMore(min, max)) causes.push(invalidValue(path.child('min').key(name), min, `min value ${min} is greater than max value ${max}`));
  if (isMore(min, request))
    causes.push(
      invalidValue(path.child('defaultRequest').key(name), request, `min value ${min} is greater than default request value ${request}`),
    );
  if (isMore(request, max))
    causes.push(
      invalidValue(path.child('defaultRequest').key(name), request, `default request value ${request} is greater than max value ${max}`),
    );
  if (isMore(request, limit))
    causes.push(
      invalidValue(
        path.child('defaultRequest').key(name),
        request,
        `default request value ${request} is greater than default limit value ${limit}`,
      ),
    );
  if (isMore(min, limit))
    causes.push(invalidValue(path.child('default').key(name), min, `min value ${min} is greater than default value ${limit}`));
  if (isMore(limit, max))
    causes.push(invalidValue(path.child('default').key(name), max, `default value ${limit} is greater than max value ${max}`));
  if (isMore('1', ratio)) causes.push(invalidValue(path.child('maxLimitRequestRatio').key(name), ratio, `ratio ${ratio} is less than 1`));
  const [most, least, asked] = [max, min, ratio].map((it) => (it === undefined ? undefined : findQuantity(it)));
  if (most !== undefined && least !== undefined && asked !== undefined && least.nanos > 0n) {
    const span = Number(most.nanos) / Number(least.nanos);
    if (Number(asked.nanos) / 1e9 > span) {
      causes.push(
        invalidValue(path.child('maxLimitRequestRatio').key(name), ratio, `ratio ${ratio} is greater than max/min = ${span.toFixed(6)}`),
      );
    }
  }
  if (!isOvercommitable(name) && limit !== undefined && request !== undefined && (isMore(limit, request) || isMore(request, limit))) {
    const why = `default value ${limit} must equal to defaultRequest value ${request} in ${name}`;
    causes.push(invalidValue(path.child('defaultRequest').key(name), request, why));
  }
  return causes;
}
