// SPDX-License-Identifier: Apache-2.0
// The selectors that an access review asks about, as authorizers read them. What cannot be read is left out, which asks for more,
// and the answer says so. Labels are read to say so only: no authorizer here looks at them.
// @source upstream pkg/registry/authorization/util/helpers.go
import type { ResourceAttributes } from '#api/authorization/v1';
import { type FieldRequirement, parseFieldSelector, parseSelector } from '#machinery';

interface Reading {
  readonly requirements: readonly FieldRequirement[];
  /** Whether some of it could not be read. */
  readonly isPartial: boolean;
}

/** Only one value can be demanded of a field. */
function fieldsOf({ fieldSelector: selector }: ResourceAttributes): Reading {
  if (selector?.rawSelector) {
    try {
      return { requirements: parseFieldSelector(selector.rawSelector).requirements, isPartial: false };
    } catch {
      return { requirements: [], isPartial: true };
    }
  }
  const asked = selector?.requirements ?? [];
  const requirements = asked.flatMap(({ key, operator, values = [] }): FieldRequirement[] => {
    const [value] = values;
    if (values.length !== 1 || value === undefined || (operator !== 'In' && operator !== 'NotIn')) return [];
    return [{ field: key, operator: operator === 'In' ? '=' : '!=', value }];
  });
  return { requirements, isPartial: requirements.length < asked.length };
}

export function selectedFields(resource: ResourceAttributes | undefined): readonly FieldRequirement[] {
  return resource?.fieldSelector === undefined ? [] : fieldsOf(resource).requirements;
}

const LABEL_OPERATORS = new Set(['In', 'NotIn', 'Exists', 'DoesNotExist']);

function labelsProblem({ labelSelector: selector }: ResourceAttributes): string | undefined {
  const path = 'spec.resourceAttributes.labelSelector';
  if (selector?.rawSelector) {
    try {
      parseSelector(selector.rawSelector);
      return undefined;
    } catch {
      return `${path} ignored due to parse error`;
    }
  }
  const asked = selector?.requirements ?? [];
  const known = asked.filter(({ operator }) => LABEL_OPERATORS.has(operator));
  if (known.length === asked.length) return undefined;
  return `${path} ${known.length > 0 ? 'partially ' : ''}ignored due to parse error`;
}

/** What of the selectors was not heeded; undefined if all was. */
export function selectorProblem(resource: ResourceAttributes | undefined): string | undefined {
  if (resource === undefined) return undefined;
  const { requirements, isPartial } = fieldsOf(resource);
  const fields = `spec.resourceAttributes.fieldSelector ${requirements.length > 0 ? 'partially ' : ''}ignored due to parse error`;
  const problems = [isPartial ? fields : undefined, labelsProblem(resource)].filter((it) => it !== undefined);
  return problems.length === 0 ? undefined : problems.join('; ');
}
