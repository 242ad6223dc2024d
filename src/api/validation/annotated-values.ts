// SPDX-License-Identifier: Apache-2.0
// What annotations of old still hold: tolerations of a Pod, taints of a Node, the Pods that a Node would rather not have. Nothing
// acts on them any more, and yet they are looked at. The faults of their JSON are worded as by Go's decoder.
// @source upstream pkg/apis/core/validation/validation.go ValidateTolerationsInPodAnnotations, ValidateNodeSpecificAnnotations
import { describeJson, type FieldCause, type FieldPath, invalidValue, JsonSyntaxError, parseJson, required } from '../../machinery/mod.ts';
import type { Taint, Toleration } from '../generated/core/v1.ts';
import { tolerationCauses } from './pod-affinity.ts';

type Annotations = Readonly<Record<string, string>> | undefined;
/** The type of each field that is no string. */
type Fields = Readonly<Record<string, string>>;
type Json = Readonly<Record<string, unknown>>;

const TOLERATIONS = 'scheduler.alpha.kubernetes.io/tolerations';
const TAINTS = 'scheduler.alpha.kubernetes.io/taints';
const AVOID_PODS = 'scheduler.alpha.kubernetes.io/preferAvoidPods';
const TOLERATION: Fields = { Key: 'string', Operator: 'core.TolerationOperator', Value: 'string', Effect: 'core.TaintEffect' };
const TAINT: Fields = { Key: 'string', Value: 'string', Effect: 'core.TaintEffect' };

class Mismatch extends Error {}

const mismatch = (value: unknown, where: string, type: string) =>
  new Mismatch(`json: cannot unmarshal ${describeJson(value).replace(/^number .*/, 'number')} into Go ${where} of type ${type}`);
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A field by its name, whatever the case of its letters. The last one of them counts. */
const fieldOf = (from: Json, name: string) =>
  Object.entries(from).findLast(([key, value]) => key.toLowerCase() === name.toLowerCase() && value !== null)?.[1];

function structOf(value: unknown, name: string, fields: Fields): Json {
  if (value === null) return {};
  if (!isObject(value)) throw mismatch(value, 'value', `core.${name}`);
  const result: Record<string, unknown> = {};
  for (const [key, type] of Object.entries(fields)) {
    const found = fieldOf(value, key);
    if (found === undefined) continue;
    if (typeof found !== 'string') throw mismatch(found, `struct field ${name}.${key}`, type);
    result[key.toLowerCase()] = found;
  }
  const seconds = name === 'Toleration' ? fieldOf(value, 'TolerationSeconds') : undefined;
  if (seconds !== undefined && !Number.isSafeInteger(seconds))
    throw mismatch(seconds, 'struct field Toleration.TolerationSeconds', 'int64');
  return seconds === undefined ? result : { ...result, tolerationSeconds: seconds };
}

function listOf(text: string, name: string, fields: Fields): Json[] {
  const value = parseJson(text);
  if (value === null) return [];
  if (!Array.isArray(value)) throw mismatch(value, 'value', `[]core.${name}`);
  return value.map((item) => structOf(item, name, fields));
}

/** @param key of the annotation, which is also the value that is called wrong. */
function decoded<T>(key: string, path: FieldPath, decode: () => T, check: (value: T) => FieldCause[]): FieldCause[] {
  let value: T;
  try {
    value = decode();
  } catch (error) {
    if (error instanceof Mismatch || error instanceof JsonSyntaxError) return [invalidValue(path, key, error.message)];
    throw error;
  }
  return check(value);
}

export function annotatedTolerationCauses(annotations: Annotations, path: FieldPath): FieldCause[] {
  const text = annotations?.[TOLERATIONS];
  if (!text) return [];
  return decoded(
    TOLERATIONS,
    path,
    () => listOf(text, 'Toleration', TOLERATION) as Toleration[],
    (list) => tolerationCauses(list, path.child(TOLERATIONS)),
  );
}

/** @param check what is said of the taints of a Node, too. */
export function annotatedNodeCauses(
  annotations: Annotations,
  path: FieldPath,
  check: (taints: readonly Taint[], path: FieldPath) => FieldCause[],
): FieldCause[] {
  if (!annotations) return [];
  const { [TAINTS]: taints, [AVOID_PODS]: avoid } = annotations;
  const decode = (text: string) => listOf(text, 'Taint', TAINT).map((taint) => ({ key: '', effect: '', ...taint }) as unknown as Taint);
  return [
    ...(taints
      ? decoded(
          TAINTS,
          path,
          () => decode(taints),
          (list) => check(list, path.child(TAINTS)),
        )
      : []),
    ...(avoid
      ? decoded(
          AVOID_PODS,
          path.child('AvoidPods'),
          () => avoidedPods(avoid),
          (list) => list.flatMap((entry, index) => entryCauses(entry, path.child(AVOID_PODS).index(index))),
        )
      : []),
  ];
}

function avoidedPods(text: string): readonly unknown[] {
  const value = parseJson(text);
  if (value === null) return [];
  if (!isObject(value)) throw mismatch(value, 'value', 'v1.AvoidPods');
  const list = fieldOf(value, 'preferAvoidPods') ?? [];
  if (!Array.isArray(list)) throw mismatch(list, 'struct field AvoidPods.preferAvoidPods', '[]v1.PreferAvoidPodsEntry');
  return list;
}

/** An entry names the controller of the Pods. */
function entryCauses(entry: unknown, path: FieldPath): FieldCause[] {
  const part = (from: unknown, name: string) => (isObject(from) ? fieldOf(from, name) : undefined);
  const controller = part(part(entry, 'podSignature'), 'podController');
  const at = path.child('PodSignature');
  if (controller === undefined) return [required(at)];
  if (part(controller, 'controller') === true) return [];
  return [invalidValue(at.child('PodController', 'Controller'), false, 'must point to a controller')];
}
