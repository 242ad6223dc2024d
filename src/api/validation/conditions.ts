// SPDX-License-Identifier: Apache-2.0
// Validation of lists of `metav1.Condition`. @source upstream apimachinery/pkg/apis/meta/v1/validation ValidateConditions
import {
  checkQualifiedName,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '../../machinery/mod.ts';
import { problems } from './rules.ts';

interface ConditionLike {
  readonly type?: string;
  readonly status?: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime?: string;
  readonly reason?: string;
  readonly message?: string;
}

const STATUSES = ['False', 'True', 'Unknown'];
const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const REASON_RULE = `a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')`;
const [LONGEST_REASON, LONGEST_MESSAGE] = [1024, 32 * 1024];

export function conditionListCauses(conditions: readonly DeepReadonly<ConditionLike>[] | undefined, path: FieldPath): FieldCause[] {
  const seen = new Set<string>();
  return (conditions ?? []).flatMap((condition, index) => {
    const at = path.index(index);
    const type = condition.type ?? '';
    const repeated = seen.has(type) ? [duplicateValue(at.child('type'), type)] : [];
    seen.add(type);
    return [...repeated, ...conditionCauses(condition, at)];
  });
}

function conditionCauses(condition: DeepReadonly<ConditionLike>, path: FieldPath): FieldCause[] {
  const { type = '', status = '', observedGeneration = 0, lastTransitionTime, reason = '', message = '' } = condition;
  const causes = problems(checkQualifiedName(type), path.child('type'), type);
  if (!STATUSES.includes(status)) causes.push(notSupported(path.child('status'), status, STATUSES));
  if (observedGeneration < 0)
    causes.push(invalidValue(path.child('observedGeneration'), observedGeneration, 'must be greater than or equal to zero'));
  if (!lastTransitionTime) causes.push(required(path.child('lastTransitionTime'), 'must be set'));
  if (reason === '') causes.push(required(path.child('reason'), 'must be set'));
  else {
    if (!REASON.test(reason)) causes.push(invalidValue(path.child('reason'), reason, REASON_RULE));
    if (Buffer.byteLength(reason) > LONGEST_REASON) causes.push(tooLong(path.child('reason'), LONGEST_REASON));
  }
  if (Buffer.byteLength(message) > LONGEST_MESSAGE) causes.push(tooLong(path.child('message'), LONGEST_MESSAGE));
  return causes;
}
