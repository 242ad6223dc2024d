// SPDX-License-Identifier: Apache-2.0
// Selectors of access reviews: what is refused, what authorizers are told, and what is said of the rest.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResourceAttributes } from '#api/authorization/v1';
import { ApiError } from '#machinery';
import { selectedFields, selectorProblem } from './review-selectors.ts';
import { checkAccessReview } from './review-validation.ts';

const AT = 'spec.resourceAttributes';
const readings: readonly (readonly [ResourceAttributes, string[], string | undefined])[] = [
  [{}, [], undefined],
  [{ fieldSelector: { rawSelector: 'a=1,b!=2' } }, ['a=1', 'b!=2'], undefined],
  [{ fieldSelector: { rawSelector: 'nope' } }, [], `${AT}.fieldSelector ignored due to parse error`],
  [
    {
      fieldSelector: {
        requirements: [
          { key: 'a', operator: 'In', values: ['1'] },
          { key: 'b', operator: 'NotIn', values: ['2'] },
        ],
      },
    },
    ['a=1', 'b!=2'],
    undefined,
  ],
  [
    {
      fieldSelector: {
        requirements: [
          { key: 'a', operator: 'In', values: ['1', '2'] },
          { key: 'b', operator: 'In', values: ['2'] },
          { key: 'c', operator: 'Exists' },
        ],
      },
    },
    ['b=2'],
    `${AT}.fieldSelector partially ignored due to parse error`,
  ],
  [
    { fieldSelector: { requirements: [{ key: 'a', operator: 'Other' as 'In' }] }, labelSelector: { rawSelector: 'a in (' } },
    [],
    `${AT}.fieldSelector ignored due to parse error; ${AT}.labelSelector ignored due to parse error`,
  ],
  [
    {
      labelSelector: {
        requirements: [
          { key: 'a', operator: 'Exists' },
          { key: 'a', operator: 'Other' as 'In' },
        ],
      },
    },
    [],
    `${AT}.labelSelector partially ignored due to parse error`,
  ],
];
for (const [resource, fields, problem] of readings) {
  test(`reading ${JSON.stringify(resource)}`, () => {
    const found = selectedFields(resource).map(({ field, operator, value }) => `${field}${operator}${value}`);
    assert.deepEqual([found, selectorProblem(resource)], [fields, problem]);
  });
}

const FIELDS = `${AT}.fieldSelector`;
const LABELS = `${AT}.labelSelector`;
const NEEDS = "must be specified when `operator` is 'In' or 'NotIn'";
const refusals: readonly (readonly [ResourceAttributes, string[]])[] = [
  [{ fieldSelector: { rawSelector: 'x=y' }, labelSelector: { requirements: [{ key: 'a', operator: 'Exists' }] } }, []],
  [{ fieldSelector: {} }, [`${FIELDS}.requirements: Required value: when ${FIELDS} is specified, requirements or rawSelector is required`]],
  [
    { fieldSelector: { rawSelector: 'x=y', requirements: [{ key: '', operator: 'In' }] } },
    [
      `${FIELDS}.rawSelector: Invalid value: "x=y": may not specified at the same time as requirements`,
      `${FIELDS}.requirements[0].key: Required value: must be specified`,
      `${FIELDS}.requirements[0].values: Required value: ${NEEDS}`,
    ],
  ],
  [
    {
      labelSelector: {
        requirements: [
          { key: 'a', operator: 'Exists', values: ['b'] },
          { key: 'a', operator: 'NotIn' },
        ],
      },
    },
    [
      `${LABELS}.requirements[0].values: Forbidden: may not be specified when \`operator\` is 'Exists' or 'DoesNotExist'`,
      `${LABELS}.requirements[1].values: Required value: ${NEEDS}`,
    ],
  ],
  [{ fieldSelector: { requirements: [{ key: 'a', operator: 'Newer' as 'In', values: ['b'] }] } }, []],
];
for (const [resourceAttributes, expected] of refusals) {
  test(`checking ${JSON.stringify(resourceAttributes)}`, () => {
    const review = { metadata: {}, spec: { resourceAttributes, user: 'ann' } } as never;
    let found: readonly string[] = [];
    try {
      checkAccessReview(review, 'SubjectAccessReview', '');
    } catch (error) {
      assert.ok(error instanceof ApiError);
      found = (error.status.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
    }
    assert.deepEqual(found, expected);
  });
}
