// SPDX-License-Identifier: Apache-2.0
// Validation of what volumes make files of: keys of ConfigMaps and Secrets, fields of the Pod, tokens and trust bundles, alone or
// projected together into one folder. @source upstream pkg/apis/core/validation/validation.go validateProjectionSources
import {
  checkDns1123Subdomain,
  checkQualifiedName,
  type DeepReadonly,
  type FieldCause,
  type FieldPath,
  findQuantity,
  forbiddenField,
  formatQuantity,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type {
  ClusterTrustBundleProjection,
  DownwardAPIVolumeFile,
  KeyToPath,
  ObjectFieldSelector,
  PodCertificateProjection,
  ProjectedVolumeSource,
  ResourceFieldSelector,
  VolumeProjection,
} from '../generated/core/v1.ts';
import { internalForm } from './difference.ts';
import { annotationCauses } from './object-meta.ts';
import { isSet, problems, selectorCauses, unreservedPathCauses } from './rules.ts';
import { signerNameCauses } from './signer-name.ts';

const MODE_RULE = 'must be a number between 0 and 0777 (octal), both inclusive';
const DOWNWARD_FIELDS = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'];
const RESOURCE_FIELDS = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

export function modeCauses(mode: number | undefined, path: FieldPath): FieldCause[] {
  return isSet(mode) && (mode < 0 || mode > 0o777) ? [invalidValue(path, mode, MODE_RULE)] : [];
}

export function itemCauses(items: readonly DeepReadonly<KeyToPath>[] | undefined, path: FieldPath): FieldCause[] {
  return (items ?? []).flatMap((item, index) => keyToPathCauses(item, path.index(index)));
}

function keyToPathCauses(item: DeepReadonly<KeyToPath>, at: FieldPath): FieldCause[] {
  return [
    ...(item.key ? [] : [required(at.child('key'))]),
    ...fileCauses(item.path, at.child('path')),
    ...modeCauses(item.mode, at.child('mode')),
  ];
}

/** A file's place in the volume. */
function fileCauses(text: string | undefined, path: FieldPath): FieldCause[] {
  return text ? unreservedPathCauses(text, path) : [required(path)];
}

export function downwardCauses(file: DeepReadonly<DownwardAPIVolumeFile>, path: FieldPath): FieldCause[] {
  const causes = fileCauses(file.path, path.child('path'));
  if (file.fieldRef) {
    causes.push(...fieldSelectorCauses(file.fieldRef, DOWNWARD_FIELDS, path.child('fieldRef')));
    if (file.resourceFieldRef)
      causes.push(invalidValue(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
  } else if (file.resourceFieldRef) {
    causes.push(...resourceSelectorCauses(file.resourceFieldRef, path.child('resourceFieldRef'), true));
  } else {
    causes.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  }
  return [...causes, ...modeCauses(file.mode, path.child('mode'))];
}

const SUBSCRIPTED = /^(.*)\['(.*)'\]$/s;
/** What a field label may be called at all, old names and those for selecting Pods included. */
const LABELS = new Set([
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.serviceAccountName',
  'spec.schedulerName',
  'status.phase',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]);

/** A field of the Pod by its path. @param allowed Those that this place takes, in order. */
export function fieldSelectorCauses(ref: DeepReadonly<ObjectFieldSelector>, allowed: readonly string[], path: FieldPath): FieldCause[] {
  if (!ref.apiVersion) return [required(path.child('apiVersion'))];
  if (!ref.fieldPath) return [required(path.child('fieldPath'))];
  const at = path.child('fieldPath');
  const wrong = (detail: string) => [invalidValue(at, ref.fieldPath, `error converting fieldPath: ${detail}`)];
  if (ref.apiVersion !== 'v1') return wrong(`unsupported pod version: ${ref.apiVersion}`);
  const found = SUBSCRIPTED.exec(ref.fieldPath);
  if (found !== null) {
    const [, base = '', key = ''] = found;
    if (base === 'metadata.annotations') return problems(checkQualifiedName(key.toLowerCase()), path, key.toLowerCase());
    if (base === 'metadata.labels') return problems(checkQualifiedName(key), path, key);
    return wrong(`field label does not support subscript: ${ref.fieldPath}`);
  }
  const label = ref.fieldPath === 'spec.host' ? 'spec.nodeName' : ref.fieldPath;
  if (!LABELS.has(label)) return wrong(`field label not supported: ${ref.fieldPath}`);
  return allowed.includes(label) ? [] : [notSupported(at, label, allowed)];
}

const HUGE_FIELD = /^(limits|requests)\.hugepages-/;
const BYTE_DIVISORS = new Set(['1', '1k', '1M', '1G', '1T', '1P', '1E', '1Ki', '1Mi', '1Gi', '1Ti', '1Pi', '1Ei']);
const BYTE_RULE = (what: string) =>
  `only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the ${what} resource`;

/** A resource of a container. @param needsContainer Whether the container has to be named, as in volumes. */
export function resourceSelectorCauses(ref: DeepReadonly<ResourceFieldSelector>, path: FieldPath, needsContainer: boolean): FieldCause[] {
  const causes: FieldCause[] = [];
  const at = path.child('resource');
  if (needsContainer && !ref.containerName) causes.push(required(path.child('containerName')));
  else if (!ref.resource) causes.push(required(at));
  else if (!RESOURCE_FIELDS.includes(ref.resource) && !HUGE_FIELD.test(ref.resource))
    causes.push(notSupported(at, ref.resource, RESOURCE_FIELDS));
  return [...causes, ...divisorCauses(ref, path.child('divisor'))];
}

function divisorCauses({ resource = '', divisor }: DeepReadonly<ResourceFieldSelector>, path: FieldPath): FieldCause[] {
  const quantity = isSet(divisor) ? findQuantity(String(divisor)) : undefined;
  if (quantity === undefined || quantity.nanos === 0n) return [];
  const text = formatQuantity(quantity);
  const kind = HUGE_FIELD.test(resource) ? 'hugepages' : resource.slice(resource.indexOf('.') + 1);
  if (kind === 'cpu')
    return text === '1m' || text === '1'
      ? []
      : [invalidValue(path, resource, "only divisor's values 1m and 1 are supported with the cpu resource")];
  const what = { memory: 'memory', 'ephemeral-storage': 'local ephemeral storage', hugepages: 'hugepages' }[kind];
  return what === undefined || BYTE_DIVISORS.has(text) ? [] : [invalidValue(path, resource, BYTE_RULE(what))];
}

const LONGEST_EXPIRY = 2 ** 32;

/** How long a token lives. */
export function expiryCauses(seconds: number, path: FieldPath): FieldCause[] {
  if (seconds < 600) return [invalidValue(path, seconds, 'may not specify a duration less than 10 minutes')];
  return seconds > LONGEST_EXPIRY ? [invalidValue(path, seconds, 'may not specify a duration larger than 2^32 seconds')] : [];
}

/** What of a projected volume its sources share: the places taken so far. */
interface Folder {
  readonly path: FieldPath;
  readonly taken: Set<string>;
}

/** @param shown What the complaint shows instead of the place: for keys, the object they are from. */
function takeCauses({ path, taken }: Folder, file: string | undefined, shown: string): FieldCause[] {
  if (!file) return [];
  if (taken.has(file)) return [invalidValue(path, shown, 'conflicting duplicate paths')];
  taken.add(file);
  return [];
}

export function projectedCauses(projected: DeepReadonly<ProjectedVolumeSource>, path: FieldPath): FieldCause[] {
  const folder: Folder = { path, taken: new Set() };
  const causes = modeCauses(projected.defaultMode, path.child('defaultMode'));
  for (const [index, source] of (projected.sources ?? []).entries())
    causes.push(...projectionCauses(source, path.child('sources').index(index), folder));
  return causes;
}

function projectionCauses(source: DeepReadonly<VolumeProjection>, at: FieldPath, folder: Folder): FieldCause[] {
  const causes: FieldCause[] = [];
  let count = 0;
  for (const name of ['secret', 'configMap'] as const) {
    const keys = source[name];
    if (!keys) continue;
    count += 1;
    if (!keys.name) causes.push(required(at.child(name, 'name')));
    for (const [index, item] of (keys.items ?? []).entries()) {
      causes.push(...keyToPathCauses(item, at.child(name, 'items').index(index)), ...takeCauses(folder, item.path, keys.name ?? ''));
    }
  }
  if (source.downwardAPI) {
    count += 1;
    for (const file of source.downwardAPI.items ?? [])
      causes.push(...downwardCauses(file, at.child('downwardAPI')), ...takeCauses(folder, file.path, file.path));
  }
  if (source.serviceAccountToken) {
    count += 1;
    const { expirationSeconds = 0, path: file } = source.serviceAccountToken;
    causes.push(...expiryCauses(expirationSeconds, at.child('serviceAccountToken', 'expirationSeconds')));
    causes.push(...fileCauses(file, folder.path.child('path')));
  }
  if (source.clusterTrustBundle) {
    count += 1;
    causes.push(...trustBundleCauses(source.clusterTrustBundle, at.child('clusterTrustBundle'), folder));
  }
  if (source.podCertificate) {
    count += 1;
    causes.push(...podCertificateCauses(source.podCertificate, at.child('podCertificate'), folder));
  }
  if (count > 1) causes.push(forbiddenField(at, 'may not specify more than 1 volume type per source'));
  return causes;
}

/** Names of bundles for a signer begin with it: `example.com:signer:name`. */
function bundleNameCauses(name: string, path: FieldPath): FieldCause[] {
  const parts = name.split(':');
  const wrong = (problem: string) => invalidValue(path, name, `not a valid clustertrustbundlename: ${problem}`);
  const causes = checkDns1123Subdomain(parts.at(-1) ?? '').map(wrong);
  return name === '' ? [required(path, 'must be a valid object name'), ...causes] : causes;
}

function trustBundleCauses(source: DeepReadonly<ClusterTrustBundleProjection>, path: FieldPath, folder: Folder): FieldCause[] {
  const causes: FieldCause[] = [];
  const { name, signerName, labelSelector } = source;
  if (isSet(name) && isSet(signerName))
    causes.push(invalidValue(path, internalForm(source), 'only one of name and signerName may be used'));
  else if (isSet(name)) {
    causes.push(...bundleNameCauses(name, path.child('name')));
    if (labelSelector)
      causes.push(invalidValue(path.child('labelSelector'), labelSelector, 'labelSelector must be unset if name is specified'));
  } else if (isSet(signerName)) {
    const at = path.child('signerName');
    if (signerName === '') causes.push(required(at, 'must be a valid signer name'));
    causes.push(...signerNameCauses(signerName, at), ...selectorCauses(labelSelector, path.child('labelSelector')));
  } else causes.push(required(path, 'either name or signerName must be specified'));
  causes.push(...fileCauses(source.path, path.child('path')));
  if (folder.taken.has(source.path ?? '')) causes.push(invalidValue(folder.path, source.path ?? '', 'conflicting duplicate paths'));
  folder.taken.add(source.path ?? '');
  return causes;
}

const KEY_TYPES = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];
const HOUR = 3600;
const LONGEST_CERTIFICATE = 91 * 24 * HOUR;

function podCertificateCauses(source: DeepReadonly<PodCertificateProjection>, path: FieldPath, folder: Folder): FieldCause[] {
  const causes = signerNameCauses(source.signerName ?? '', path.child('signerName'));
  if (!KEY_TYPES.includes(source.keyType ?? '')) causes.push(notSupported(path.child('keyType'), source.keyType ?? '', KEY_TYPES));
  const seconds = source.maxExpirationSeconds;
  if (isSet(seconds)) {
    const at = path.child('maxExpirationSeconds');
    if (seconds < HOUR) causes.push(invalidValue(at, seconds, `if provided, maxExpirationSeconds must be >= ${HOUR}`));
    if (seconds > LONGEST_CERTIFICATE)
      causes.push(invalidValue(at, seconds, `if provided, maxExpirationSeconds must be <= ${LONGEST_CERTIFICATE}`));
  }
  const files = ['credentialBundlePath', 'keyPath', 'certificateChainPath'] as const;
  if (files.every((name) => !source[name]))
    causes.push(required(path, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'));
  for (const name of files) {
    const file = source[name];
    if (!file) continue;
    causes.push(...unreservedPathCauses(file, path.child(name)));
    if (folder.taken.has(file)) causes.push(invalidValue(path.child(name), file, 'conflicting duplicate paths'));
    folder.taken.add(file);
  }
  return [...causes, ...annotationCauses(source.userAnnotations, path.child('userAnnotations'))];
}
