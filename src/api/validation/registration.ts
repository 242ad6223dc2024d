// SPDX-License-Identifier: Apache-2.0
// Validation of storage drivers, webhooks, admission policies, flow control and CustomResourceDefinitions: their structure.
// CEL expressions and structural schemas are checked where they are compiled, not here.
import {
  checkDns1035Label,
  checkDns1123Subdomain,
  type DeepReadonly,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  findQuantity,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/mod.ts';
import type {
  RuleWithOperations,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhook,
} from '../generated/admissionregistration/v1.ts';
import type { CustomResourceDefinition } from '../generated/apiextensions/v1.ts';
import type { CSIDriver, CSINode, CSIStorageCapacity, VolumeAttachment, VolumeAttributesClass } from '../generated/storage/v1.ts';
import { internalForm } from './difference.ts';
import { immutableCauses } from './object-meta.ts';
import { enumCauses, problems, selectorCauses } from './rules.ts';

const SPEC = field('spec');

export function specImmutableCauses(next: { readonly spec: unknown }, previous: { readonly spec: unknown }): FieldCause[] {
  return immutableCauses(next.spec, previous.spec, SPEC);
}

export function csiDriverCauses({ spec }: DeepReadonly<CSIDriver>): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const name of ['attachRequired', 'podInfoOnMount', 'storageCapacity'] as const)
    if (spec[name] === undefined) causes.push(required(SPEC.child(name)));
  causes.push(...enumCauses(spec.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType'], SPEC.child('fsGroupPolicy')));
  const audiences = new Set<string>();
  for (const [index, request] of (spec.tokenRequests ?? []).entries()) {
    const at = SPEC.child('tokenRequests').index(index);
    if (audiences.has(request.audience)) causes.push(duplicateValue(at.child('audience'), request.audience));
    audiences.add(request.audience);
    if (request.expirationSeconds !== undefined && request.expirationSeconds < 600) {
      causes.push(
        invalidValue(at.child('expirationSeconds'), request.expirationSeconds, 'may not specify a duration less than 10 minutes'),
      );
    }
  }
  for (const mode of spec.volumeLifecycleModes ?? []) {
    if (mode !== 'Persistent' && mode !== 'Ephemeral')
      causes.push(notSupported(SPEC.child('volumeLifecycleModes'), mode, ['Persistent', 'Ephemeral']));
  }
  return causes;
}

export function csiNodeCauses({ spec }: DeepReadonly<CSINode>): FieldCause[] {
  const names = new Set<string>();
  return (spec.drivers ?? []).flatMap((driver, index) => {
    const at = SPEC.child('drivers').index(index);
    const causes: FieldCause[] = [];
    if (!driver.name) causes.push(required(at.child('name')));
    if (!driver.nodeID) causes.push(required(at.child('nodeID')));
    if (names.has(driver.name)) causes.push(duplicateValue(at.child('name'), driver.name));
    names.add(driver.name);
    return causes;
  });
}

export function storageCapacityCauses(object: DeepReadonly<CSIStorageCapacity>): FieldCause[] {
  const causes = problems(checkDns1123Subdomain(object.storageClassName ?? ''), field('storageClassName'), object.storageClassName ?? '');
  for (const name of ['capacity', 'maximumVolumeSize'] as const) {
    const value = object[name];
    if (value !== undefined && (findQuantity(String(value))?.nanos ?? 0n) < 0n)
      causes.push(invalidValue(name, value, 'must be greater than or equal to 0'));
  }
  return [...causes, ...selectorCauses(object.nodeTopology, field('nodeTopology'))];
}

export function storageCapacityUpdateCauses(
  next: DeepReadonly<CSIStorageCapacity>,
  previous: DeepReadonly<CSIStorageCapacity>,
): FieldCause[] {
  return [
    ...storageCapacityCauses(next),
    ...immutableCauses(next.nodeTopology, previous.nodeTopology, field('nodeTopology')),
    ...immutableCauses(next.storageClassName, previous.storageClassName, field('storageClassName')),
  ];
}

export function volumeAttachmentCauses({ spec }: DeepReadonly<VolumeAttachment>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!spec.attacher) causes.push(required(SPEC.child('attacher')));
  const source = SPEC.child('source');
  const { persistentVolumeName: name, inlineVolumeSpec: inline } = spec.source ?? {};
  if (name === undefined && inline === undefined)
    causes.push(required(source, 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'));
  else if (name !== undefined && inline !== undefined)
    causes.push(forbiddenField(source, 'must specify exactly one of inlineVolumeSpec and persistentVolumeName'));
  else if (name === '') causes.push(required(source.child('persistentVolumeName'), 'must specify non empty persistentVolumeName'));
  return [...causes, ...problems(checkDns1123Subdomain(spec.nodeName ?? ''), SPEC.child('nodeName'), spec.nodeName ?? '')];
}

export function attributesClassCauses({ driverName, parameters }: DeepReadonly<VolumeAttributesClass>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!driverName) causes.push(required('driverName'));
  const keys = Object.keys(parameters ?? {});
  if (keys.length === 0) causes.push(required('parameters', 'must contain at least one key/value pair'));
  if (keys.includes('')) causes.push(invalidValue('parameters', '', 'field can not be empty.'));
  return causes;
}

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];

function starCauses(values: readonly string[] | undefined, what: string, path: FieldPath): FieldCause[] {
  const list = values ?? [];
  if (list.length === 0) return [required(path)];
  return list.length > 1 && list.includes('*') ? [invalidValue(path, list, `if '*' is present, must not specify other ${what}`)] : [];
}

function ruleCauses(rule: DeepReadonly<RuleWithOperations>, path: FieldPath): FieldCause[] {
  const causes = starCauses(rule.operations, 'operations', path.child('operations'));
  for (const [index, operation] of (rule.operations ?? []).entries()) {
    if (!OPERATIONS.includes(operation)) causes.push(notSupported(path.child('operations').index(index), operation, OPERATIONS));
  }
  causes.push(
    ...starCauses(rule.apiGroups, 'API groups', path.child('apiGroups')),
    ...starCauses(rule.apiVersions, 'API versions', path.child('apiVersions')),
  );
  const resources = rule.resources ?? [];
  const at = path.child('resources');
  if (resources.length === 0) causes.push(required(at));
  else if (resources.length > 1 && resources.includes('*/*'))
    causes.push(invalidValue(at, resources, `if '*/*' is present, must not specify other resources`));
  return [...causes, ...enumCauses(rule.scope, ['*', 'Cluster', 'Namespaced'], path.child('scope'))];
}

export function webhooksCauses({ webhooks }: { readonly webhooks?: readonly DeepReadonly<ValidatingWebhook>[] }): FieldCause[] {
  return (webhooks ?? []).flatMap((webhook, index) => webhookCauses(webhook, field('webhooks').index(index)));
}

function webhookCauses(webhook: DeepReadonly<ValidatingWebhook>, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  const name = path.child('name');
  if (!webhook.name) causes.push(required(name));
  else {
    causes.push(...problems(checkDns1123Subdomain(webhook.name), name, webhook.name));
    if (webhook.name.split('.').length < 3)
      causes.push(invalidValue(name, webhook.name, 'should be a domain with at least three segments separated by dots'));
  }
  const versions = webhook.admissionReviewVersions ?? [];
  const at = path.child('admissionReviewVersions');
  if (versions.length === 0) causes.push(required(at, 'must specify one of v1, v1beta1'));
  else if (!versions.some((version) => version === 'v1' || version === 'v1beta1'))
    causes.push(invalidValue(at, versions, 'must include at least one of v1, v1beta1'));
  for (const [index, rule] of (webhook.rules ?? []).entries()) causes.push(...ruleCauses(rule, path.child('rules').index(index)));
  causes.push(...enumCauses(webhook.failurePolicy, ['Fail', 'Ignore'], path.child('failurePolicy')));
  causes.push(...enumCauses(webhook.matchPolicy, ['Equivalent', 'Exact'], path.child('matchPolicy')));
  const side = path.child('sideEffects');
  if (!webhook.sideEffects) causes.push(required(side, 'must specify one of None, NoneOnDryRun'));
  else causes.push(...enumCauses(webhook.sideEffects, ['None', 'NoneOnDryRun'], side));
  const seconds = webhook.timeoutSeconds;
  if (seconds !== undefined && (seconds < 1 || seconds > 30)) {
    causes.push(invalidValue(path.child('timeoutSeconds'), seconds, 'the timeout value must be between 1 and 30 seconds'));
  }
  causes.push(
    ...selectorCauses(webhook.namespaceSelector, path.child('namespaceSelector')),
    ...selectorCauses(webhook.objectSelector, path.child('objectSelector')),
  );
  return [...causes, ...clientConfigCauses(webhook.clientConfig, path.child('clientConfig'))];
}

function clientConfigCauses(config: DeepReadonly<ValidatingWebhook>['clientConfig'], path: FieldPath): FieldCause[] {
  const { url, service } = config ?? {};
  if ((url === undefined) === (service === undefined)) return [required(path, 'exactly one of url or service is required')];
  if (service) {
    return (['name', 'namespace'] as const).filter((name) => !service[name]).map((name) => required(path.child('service', name)));
  }
  const at = path.child('url');
  const form = '; desired format: https://host[/path]';
  const parsed = URL.parse(url ?? '');
  if (parsed === null) return [required(at, `url must be a valid URL${form}`)];
  const causes: FieldCause[] = [];
  const scheme = parsed.protocol.replace(':', '');
  if (scheme !== 'https') causes.push(invalidValue(at, scheme, `'https' is the only allowed URL scheme${form}`));
  if (parsed.host === '') causes.push(invalidValue(at, '', `host must be specified${form}`));
  if (parsed.username !== '') causes.push(invalidValue(at, parsed.username, 'user information is not permitted in the URL'));
  if (parsed.hash !== '') causes.push(invalidValue(at, parsed.hash.slice(1), 'fragments are not permitted in the URL'));
  if (parsed.search !== '') causes.push(invalidValue(at, parsed.search.slice(1), 'query parameters are not permitted in the URL'));
  return causes;
}

export function validatingPolicyCauses({ spec }: DeepReadonly<ValidatingAdmissionPolicy>): FieldCause[] {
  const causes = enumCauses(spec.failurePolicy, ['Fail', 'Ignore'], SPEC.child('failurePolicy'), true);
  const match = spec.matchConstraints;
  if (!match) causes.push(required(SPEC.child('matchConstraints')));
  else {
    const at = SPEC.child('matchConstraints', 'resourceRules');
    if ((match.resourceRules ?? []).length === 0) causes.push(required(at));
    for (const [index, rule] of (match.resourceRules ?? []).entries()) causes.push(...ruleCauses(rule, at.index(index)));
  }
  if ((spec.validations ?? []).length + (spec.auditAnnotations ?? []).length === 0) {
    const why = 'validations or auditAnnotations must contain at least one item';
    causes.push(required(SPEC.child('validations'), why), required(SPEC.child('auditAnnotations'), why));
  }
  for (const [index, validation] of (spec.validations ?? []).entries()) {
    const at = SPEC.child('validations').index(index);
    if (!validation.expression?.trim()) causes.push(required(at.child('expression'), 'expression is not specified'));
    if (validation.message?.includes('\n'))
      causes.push(invalidValue(at.child('message'), validation.message, 'must not contain line breaks'));
    causes.push(...enumCauses(validation.reason, ['Forbidden', 'Invalid', 'RequestEntityTooLarge'], at.child('reason')));
  }
  return causes;
}

const ACTIONS = ['Audit', 'Deny', 'Warn'];

export function policyBindingCauses({ spec }: DeepReadonly<ValidatingAdmissionPolicyBinding>): FieldCause[] {
  const causes: FieldCause[] = [];
  if (!spec.policyName) causes.push(required(SPEC.child('policyName')));
  const { paramRef } = spec;
  if (paramRef) {
    const at = SPEC.child('paramRef');
    const why = 'name and selector are mutually exclusive';
    if (paramRef.name && paramRef.selector) causes.push(forbiddenField(at.child('name'), why), forbiddenField(at.child('selector'), why));
    if (!paramRef.name && !paramRef.selector) causes.push(required(at, 'one of name or selector must be specified'));
    causes.push(...enumCauses(paramRef.parameterNotFoundAction, ['Allow', 'Deny'], at.child('parameterNotFoundAction'), true));
  }
  const actions = spec.validationActions ?? [];
  const at = SPEC.child('validationActions');
  if (actions.length === 0) causes.push(required(at, 'at least one validation action is required'));
  for (const [index, action] of actions.entries()) {
    if (!ACTIONS.includes(action)) causes.push(notSupported(at.index(index), action, ACTIONS));
    if (actions.indexOf(action) !== index) causes.push(duplicateValue(at.index(index), action));
  }
  if (actions.includes('Deny') && actions.includes('Warn')) {
    const why =
      'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)';
    causes.push(invalidValue(at, actions, why));
  }
  return causes;
}

const APPROVED = 'api-approved.kubernetes.io';

function conversionCauses(conversion: DeepReadonly<CustomResourceDefinition>['spec']['conversion']): FieldCause[] {
  const path = SPEC.child('conversion');
  if (!conversion) return [];
  const causes = enumCauses(conversion.strategy, ['None', 'Webhook'], path.child('strategy'), true);
  if (conversion.strategy !== 'Webhook') return causes;
  if (!conversion.webhook?.clientConfig)
    causes.push(required(path.child('webhookClientConfig'), 'required when strategy is set to Webhook'));
  if ((conversion.webhook?.conversionReviewVersions ?? []).length === 0) causes.push(required(path.child('conversionReviewVersions')));
  return causes;
}

type Version = DeepReadonly<CustomResourceDefinition>['spec']['versions'][number];
const COLUMN_FORMATS = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];

/** Printer columns and the scale endpoint. */
function versionPartCauses(version: Version, path: FieldPath): FieldCause[] {
  const causes: FieldCause[] = [];
  for (const [index, column] of (version.additionalPrinterColumns ?? []).entries()) {
    const at = path.child('additionalPrinterColumns').index(index);
    if (!column.name) causes.push(required(at.child('name')));
    if (!column.type) causes.push(required(at.child('type'), `must be one of ${COLUMN_TYPES.join(',')}`));
    else if (!COLUMN_TYPES.includes(column.type))
      causes.push(invalidValue(at.child('type'), column.type, `must be one of ${COLUMN_TYPES.join(',')}`));
    if (column.format && !COLUMN_FORMATS.includes(column.format)) {
      causes.push(invalidValue(at.child('format'), column.format, `must be one of ${COLUMN_FORMATS.join(',')}`));
    }
    if (!column.jsonPath) causes.push(required(at.child('JSONPath')));
    else if (!column.jsonPath.startsWith('.') || /\[(?![^[\]]*\])/.test(column.jsonPath)) {
      causes.push(invalidValue(at.child('JSONPath'), column.jsonPath, 'must be a simple json path starting with .'));
    }
  }
  const scale = version.subresources?.scale;
  if (!scale) return causes;
  const at = path.child('subresources', 'scale');
  for (const [name, root] of [
    ['specReplicasPath', '.spec'],
    ['statusReplicasPath', '.status'],
  ] as const) {
    const value = scale[name];
    if (!value) causes.push(required(at.child(name)));
    else if (!/^(\.[A-Za-z_][\w-]*)+$/.test(value))
      causes.push(invalidValue(at.child(name), value, 'must be a simple json path starting with .'));
    else if (!value.startsWith(`${root}.`)) causes.push(invalidValue(at.child(name), value, `should be a json path under ${root}`));
  }
  const label = scale.labelSelectorPath;
  if (label && !/^\.(spec|status)\./.test(label)) {
    causes.push(invalidValue(at.child('labelSelectorPath'), label, 'should be a json path under either .spec or .status'));
  }
  return causes;
}

/** Names, group, scope and versions of a definition. */
export function definitionCauses(definition: DeepReadonly<CustomResourceDefinition>): FieldCause[] {
  const { metadata, spec, status } = definition;
  const causes: FieldCause[] = [];
  const names = spec.names;
  if (metadata.name !== `${names.plural}.${spec.group}`) {
    causes.push(invalidValue('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group'));
  }
  if (!spec.group) causes.push(required(SPEC.child('group')));
  else {
    causes.push(...problems(checkDns1123Subdomain(spec.group), SPEC.child('group'), spec.group));
    if (checkDns1123Subdomain(spec.group).length === 0 && !spec.group.includes('.'))
      causes.push(invalidValue(SPEC.child('group'), spec.group, 'should be a domain with at least one dot'));
  }
  causes.push(...enumCauses(spec.scope, ['Cluster', 'Namespaced'], SPEC.child('scope'), true));
  if (spec.preserveUnknownFields === true) {
    causes.push(
      invalidValue(
        SPEC.child('preserveUnknownFields'),
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    );
  }
  const versions = spec.versions ?? [];
  for (const [index, version] of versions.entries()) {
    const at = SPEC.child('versions').index(index);
    causes.push(...problems(checkDns1035Label(version.name), at.child('name'), version.name));
    if (!version.schema?.openAPIV3Schema) causes.push(required(at.child('schema', 'openAPIV3Schema')));
  }
  // The parts of a single version are written as the definition's own, which is how upstream holds them.
  const [single] = versions;
  if (versions.length === 1 && single !== undefined) {
    causes.push(...problems(checkDns1035Label(single.name), SPEC.child('version'), single.name), ...versionPartCauses(single, SPEC));
  } else {
    for (const [index, version] of versions.entries()) causes.push(...versionPartCauses(version, SPEC.child('versions').index(index)));
  }
  if (new Set(versions.map(({ name }) => name)).size !== versions.length)
    causes.push(invalidValue(SPEC.child('versions'), internalForm(versions), 'must contain unique version names'));
  const storage = versions.filter((version) => version.storage);
  if (storage.length !== 1)
    causes.push(invalidValue(SPEC.child('versions'), internalForm(versions), 'must have exactly one version marked as storage version'));
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const) {
    const value = names[name];
    const at = SPEC.child('names', name);
    const isKind = name === 'kind' || name === 'listKind';
    if (!value) causes.push(required(at));
    else
      for (const problem of checkDns1035Label(isKind ? value.toLowerCase() : value)) {
        causes.push(invalidValue(at, value, isKind ? `may have mixed case, but should otherwise match: ${problem}` : problem));
      }
  }
  for (const name of ['shortNames', 'categories'] as const) {
    for (const [index, value] of (names[name] ?? []).entries()) {
      causes.push(...problems(checkDns1035Label(value), SPEC.child('names', name).index(index), value));
    }
  }
  const stored = status?.storedVersions ?? [];
  const [only] = storage;
  if (storage.length === 1 && only !== undefined && stored.length > 0 && !stored.includes(only.name)) {
    causes.push(invalidValue('status.storedVersions', stored, `must have the storage version ${only.name}`));
  }
  if (storage.length > 1 && stored.length > 0 && !stored.includes(storage.at(-1)?.name ?? '')) {
    causes.push(invalidValue('status.storedVersions', stored, `must have the storage version ${storage.at(-1)?.name}`));
  }
  causes.push(...conversionCauses(spec.conversion));
  if (/(^|\.)(k8s|kubernetes)\.io$/.test(spec.group ?? '') && metadata.annotations?.[APPROVED] === undefined) {
    const why = `protected groups must have approval annotation "${APPROVED}", see https://github.com/kubernetes/enhancements/pull/1111`;
    causes.push(required(field('metadata', 'annotations').key(APPROVED), why));
  }
  if (stored.length === 0)
    causes.push(invalidValue('status.storedVersions', status?.storedVersions ?? null, 'must have at least one stored version'));
  return causes;
}
