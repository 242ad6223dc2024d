// SPDX-License-Identifier: Apache-2.0
// Validation of the environment of a container: names, values from fields, resources, keys and files, and whole ConfigMaps.
// @source upstream pkg/apis/core/validation/validation.go ValidateEnv, ValidateEnvFrom
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  invalidValue,
  notFoundValue,
  required,
} from '../../machinery/mod.ts';
import type { Container, EnvVar, EnvVarSource, FileKeySelector, Volume } from '../generated/core/v1.ts';
import { fieldSelectorCauses, resourceSelectorCauses } from './pod-projections.ts';
import { configKeyProblems, problems, unreservedPathCauses } from './rules.ts';

type Volumes = ReadonlyMap<string, DeepReadonly<Volume>>;
const ENV_NAME = /^[\x20-\x3c\x3e-\x7e]+$/;
const ENV_RULE = `a valid environment variable name must consist only of printable ASCII characters other than '='`;
const ONE = 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`';
const MANY = 'may not have more than one field specified at a time';
const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];

export function envCauses(env: readonly DeepReadonly<EnvVar>[] | undefined, path: FieldPath, volumes: Volumes): FieldCause[] {
  if (!env) return [];
  const causes: FieldCause[] = [];
  for (const [index, { name, value, valueFrom }] of env.entries()) {
    if (name && ENV_NAME.test(name) && !valueFrom) continue;
    const at = path.index(index);
    if (!name) causes.push(required(at.child('name')));
    else if (!ENV_NAME.test(name)) causes.push(invalidValue(at.child('name'), name, ENV_RULE));
    if (valueFrom) causes.push(...valueFromCauses(valueFrom, value, at.child('valueFrom'), volumes));
  }
  return causes;
}

function valueFromCauses(source: DeepReadonly<EnvVarSource>, value: string | undefined, path: FieldPath, volumes: Volumes): FieldCause[] {
  const causes: FieldCause[] = [];
  let count = 0;
  const take = (found: FieldCause[]) => {
    count += 1;
    causes.push(...found);
  };
  if (source.fieldRef) take(fieldSelectorCauses(source.fieldRef, ENV_FIELDS, path.child('fieldRef')));
  if (source.resourceFieldRef) take(resourceSelectorCauses(source.resourceFieldRef, path.child('resourceFieldRef'), false));
  for (const name of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const ref = source[name];
    if (ref) take(keyCauses(ref, path.child(name)));
  }
  if (source.fileKeyRef) take(fileKeyCauses(source.fileKeyRef, path.child('fileKeyRef'), volumes));
  if (count === 0) causes.push(invalidValue(path, '', ONE));
  else if (value) causes.push(invalidValue(path, '', 'may not be specified when `value` is not empty'));
  else if (count > 1) causes.push(invalidValue(path, '', MANY));
  return causes;
}

function keyCauses({ name = '', key }: { readonly name?: string; readonly key?: string }, path: FieldPath): FieldCause[] {
  const causes = problems(checkDns1123Subdomain(name), path.child('name'), name);
  if (!key) return [...causes, required(path.child('key'))];
  return [...causes, ...problems(configKeyProblems(key), path.child('key'), key)];
}

function fileKeyCauses({ volumeName, path: file, key }: DeepReadonly<FileKeySelector>, path: FieldPath, volumes: Volumes): FieldCause[] {
  const causes: FieldCause[] = [];
  const at = path.child('volumeName');
  if (!volumeName) causes.push(required(at));
  else {
    const volume = volumes.get(volumeName);
    causes.push(...problems(checkDns1123Label(volumeName), at, volumeName));
    if (!volume) causes.push(notFoundValue(at, volumeName));
    else if (!volume.emptyDir) causes.push(invalidValue(at, volumeName, 'referenced volume must be of type emptyDir'));
  }
  causes.push(...(file ? unreservedPathCauses(file, path.child('path')) : [required(path.child('path'))]));
  if (!key) causes.push(required(path.child('key')));
  else if (!ENV_NAME.test(key)) causes.push(invalidValue(path.child('key'), key, ENV_RULE));
  return causes;
}

/** What remains of a name that more may follow. */
const withoutDash = (name: string) => (name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name);

export function envFromCauses({ envFrom }: DeepReadonly<Pick<Container, 'envFrom'>>, path: FieldPath): FieldCause[] {
  return (envFrom ?? []).flatMap((source, index) => {
    const at = path.index(index);
    const causes: FieldCause[] = [];
    if (source.prefix && !ENV_NAME.test(source.prefix)) causes.push(invalidValue(at.child('prefix'), source.prefix, ENV_RULE));
    let count = 0;
    for (const name of ['configMapRef', 'secretRef'] as const) {
      const ref = source[name];
      if (!ref) continue;
      count += 1;
      const here = at.child(name, 'name');
      causes.push(...(ref.name ? problems(checkDns1123Subdomain(withoutDash(ref.name)), here, ref.name) : [required(here)]));
    }
    if (count === 0) causes.push(invalidValue(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
    if (count > 1) causes.push(invalidValue(path, '', MANY));
    return causes;
  });
}
