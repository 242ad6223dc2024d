// SPDX-License-Identifier: Apache-2.0
// Taints and what tolerates them. @source upstream api core/v1 toleration.go, component-helpers scheduling/corev1/helpers.go
import type { DeepReadonly } from '../../machinery/mod.ts';
import type { Taint, Toleration } from '../generated/core/v1.ts';
import { isWhole } from './whole-number.ts';

type ReadTaint = DeepReadonly<Taint>;
type ReadToleration = DeepReadonly<Toleration>;

export function tolerates({ key = '', operator = 'Equal', value = '', effect }: ReadToleration, taint: ReadTaint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  switch (operator) {
    case 'Exists':
      return true;
    case 'Equal':
      return key !== '' && value === (taint.value ?? '');
    case 'Lt':
      return isWhole(taint.value) && isWhole(value) && Number(taint.value) < Number(value);
    case 'Gt':
      return isWhole(taint.value) && isWhole(value) && Number(taint.value) > Number(value);
    default:
      return false;
  }
}

export function isTolerated(tolerations: readonly ReadToleration[], taint: ReadTaint): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}

/** The first taint with one of `effects` that is not tolerated. */
export function untolerated(
  taints: readonly ReadTaint[],
  tolerations: readonly ReadToleration[],
  effects: readonly string[],
): ReadTaint | undefined {
  return taints.find((taint) => effects.includes(taint.effect) && !isTolerated(tolerations, taint));
}
