// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { field } from '#machinery';
import { annotatedNodeCauses, annotatedTolerationCauses } from './annotated-values.ts';

const AT = field('metadata', 'annotations');
const TOLERATIONS = 'scheduler.alpha.kubernetes.io/tolerations';
const TAINTS = 'scheduler.alpha.kubernetes.io/taints';
const AVOID = 'scheduler.alpha.kubernetes.io/preferAvoidPods';
const said = (causes: readonly { field: string; message: string }[]) => causes.map((it) => `${it.field}: ${it.message}`);
const wrong = (key: string, text: string) => `Invalid value: "${key}": ${text}`;

describe('tolerations in an annotation', () => {
  const rows: Record<string, readonly [text: string, expected: string | undefined]> = {
    'may be well': ['[{"key":"a","operator":"Exists","effect":"NoExecute","tolerationSeconds":3}]', undefined],
    'may be spelled in letters of any case': ['[{"KEY":"a","Value":"b"}]', undefined],
    'may be none': ['null', undefined],
    'are checked as those of the spec': [
      '[{"key":"a b"}]',
      `metadata.annotations.${TOLERATIONS}[0].key: Invalid value: "a b": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
    ],
    'are JSON': ['{', `metadata.annotations: ${wrong(TOLERATIONS, 'unexpected end of JSON input')}`],
    'are a list': [
      '{}',
      `metadata.annotations: ${wrong(TOLERATIONS, 'json: cannot unmarshal object into Go value of type []core.Toleration')}`,
    ],
    'are objects': [
      '["a"]',
      `metadata.annotations: ${wrong(TOLERATIONS, 'json: cannot unmarshal string into Go value of type core.Toleration')}`,
    ],
    'have fields of known types': [
      '[{"key":1}]',
      `metadata.annotations: ${wrong(TOLERATIONS, 'json: cannot unmarshal number into Go struct field Toleration.Key of type string')}`,
    ],
  };
  for (const [what, [text, expected]] of Object.entries(rows))
    it(what, () => assert.deepEqual(said(annotatedTolerationCauses({ [TOLERATIONS]: text }, AT)), expected ? [expected] : []));
});

describe('the annotations of a Node', () => {
  const rows: Record<string, readonly [annotations: Record<string, string>, expected: readonly string[]]> = {
    'hold taints, which are checked as those of the spec': [
      { [TAINTS]: '[{"key":"a","effect":"NoSchedule"}]' },
      [`metadata.annotations.${TAINTS}: 1 taints, first a/NoSchedule`],
    ],
    'hold taints in a list': [
      { [TAINTS]: '1' },
      [`metadata.annotations: ${wrong(TAINTS, 'json: cannot unmarshal number into Go value of type []core.Taint')}`],
    ],
    'hold Pods to avoid, by their controller': [
      { [AVOID]: '{"preferAvoidPods":[{"podSignature":{"podController":{"kind":"ReplicaSet","controller":true}}}]}' },
      [],
    ],
    'hold Pods to avoid, each with a controller': [
      { [AVOID]: '{"preferAvoidPods":[{"reason":"some"}]}' },
      [`metadata.annotations.${AVOID}[0].PodSignature: Required value`],
    ],
    'hold Pods to avoid, whose controller is one': [
      { [AVOID]: '{"preferAvoidPods":[{"podSignature":{"podController":{"kind":"ReplicaSet","controller":false}}}]}' },
      [`metadata.annotations.${AVOID}[0].PodSignature.PodController.Controller: Invalid value: false: must point to a controller`],
    ],
    'hold Pods to avoid as JSON': [{ [AVOID]: '[' }, [`metadata.annotations.AvoidPods: ${wrong(AVOID, 'unexpected end of JSON input')}`]],
  };
  for (const [what, [annotations, expected]] of Object.entries(rows))
    it(what, () => {
      const causes = annotatedNodeCauses(annotations, AT, (taints, path) => [
        { field: `${path}`, message: `${taints.length} taints, first ${taints[0]?.key}/${taints[0]?.effect}`, reason: 'FieldValueInvalid' },
      ]);
      assert.deepEqual(said(causes), expected);
    });
});
