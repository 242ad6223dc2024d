// SPDX-License-Identifier: Apache-2.0
// Validation of probes and lifecycle handlers.
import {
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type { Lifecycle, LifecycleHandler, Probe } from '../generated/core/v1.ts';
import { NON_NEGATIVE, portCauses, portOrNameCauses } from './rules.ts';

type Handler = DeepReadonly<Pick<LifecycleHandler, 'exec' | 'httpGet' | 'tcpSocket' | 'sleep'> & Pick<Probe, 'grpc'>>;
const HEADER_RULE = `a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`;

function handlerCauses(handler: Handler, graceSeconds: number | undefined, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  let count = 0;
  const isFirst = (name: string) => {
    count += 1;
    if (count > 1) causes.push(forbiddenField(path.child(name), 'may not specify more than 1 handler type'));
    return count === 1;
  };
  if (handler.exec && isFirst('exec') && (handler.exec.command ?? []).length === 0) causes.push(required(path.child('exec', 'command')));
  if (handler.httpGet && isFirst('httpGet')) causes.push(...httpCauses(handler.httpGet, path.child('httpGet')));
  if (handler.tcpSocket && isFirst('tcpSocket')) causes.push(...portOrNameCauses(handler.tcpSocket.port, path.child('tcpSocket', 'port')));
  if (handler.grpc && isFirst('grpc')) causes.push(...portCauses(handler.grpc.port ?? 0, path.child('grpc', 'port')));
  if (handler.sleep && isFirst('sleep')) causes.push(...sleepCauses(handler.sleep.seconds, graceSeconds, path.child('sleep')));
  if (count === 0) causes.push(required(path, 'must specify a handler type'));
  return causes;
}

function httpCauses(get: NonNullable<Handler['httpGet']>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!get.path) causes.push(required(path.child('path')));
  causes.push(...portOrNameCauses(get.port, path.child('port')));
  if (get.scheme !== 'HTTP' && get.scheme !== 'HTTPS') causes.push(notSupported(path.child('scheme'), get.scheme ?? '', ['HTTP', 'HTTPS']));
  for (const { name } of get.httpHeaders ?? []) {
    if (!/^[-A-Za-z0-9]+$/.test(name)) causes.push(invalidValue(path.child('httpHeaders'), name, HEADER_RULE));
  }
  return causes;
}

function sleepCauses(seconds: number | undefined, graceSeconds: number | undefined, path: FieldPath): FieldCause[] {
  const value = seconds ?? 0;
  if (graceSeconds === undefined || (value >= 0 && value <= graceSeconds)) return [];
  return [invalidValue(path, value, `must be non-negative and less than terminationGracePeriodSeconds (${graceSeconds})`)];
}

function probeCauses(probe: DeepReadonly<Probe>, path: FieldPath): FieldCause[] {
  const causes = handlerCauses(probe, undefined, path);
  for (const name of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const) {
    if ((probe[name] ?? 0) < 0) causes.push(invalidValue(path.child(name), probe[name], NON_NEGATIVE));
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace !== null && grace <= 0) {
    causes.push(invalidValue(path.child('terminationGracePeriodSeconds'), grace, 'must be greater than 0'));
  }
  return causes;
}

/** Liveness and startup probes succeed at once. */
export function restartingProbeCauses(probe: DeepReadonly<Probe> | undefined, path: FieldPath): FieldCause[] {
  if (!probe) return [];
  const once = probe.successThreshold !== 1 ? [invalidValue(path.child('successThreshold'), probe.successThreshold ?? 0, 'must be 1')] : [];
  return [...probeCauses(probe, path), ...once];
}

export function readinessProbeCauses(probe: DeepReadonly<Probe> | undefined, path: FieldPath): FieldCause[] {
  if (!probe) return [];
  const grace = probe.terminationGracePeriodSeconds;
  const set =
    grace !== undefined && grace !== null
      ? [invalidValue(path.child('terminationGracePeriodSeconds'), grace, 'must not be set for readinessProbes')]
      : [];
  return [...probeCauses(probe, path), ...set];
}

export function lifecycleCauses(
  lifecycle: DeepReadonly<Lifecycle> | undefined,
  graceSeconds: number | undefined,
  path: FieldPath,
): FieldCause[] {
  if (!lifecycle) return [];
  return [
    ...(lifecycle.postStart ? handlerCauses(lifecycle.postStart, graceSeconds, path.child('postStart')) : []),
    ...(lifecycle.preStop ? handlerCauses(lifecycle.preStop, graceSeconds, path.child('preStop')) : []),
  ];
}
