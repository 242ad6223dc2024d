// SPDX-License-Identifier: Apache-2.0
// Which fields a resource can be selected by, under which names, and what is said of others.
// @source upstream pkg/apis/…/conversion.go AddFieldLabelConversionFunc, apimachinery DefaultMetaV1FieldSelectorConversion
import { badRequest, FieldSelector, quote } from '#machinery';
import type { ServedResource } from '../registry/generic/served-resource.ts';

const notSupported = (field: string) => `field label not supported: ${field}`;

/** The kinds that can be selected by more than their metadata, by `group/resource`, with what they say of other fields. */
const SELECTABLE: ReadonlyMap<string, (field: string) => string> = new Map([
  ...['/pods', '/nodes', '/replicationcontrollers', '/events', '/namespaces', '/secrets', '/services'].map(
    (key) => [key, notSupported] as const,
  ),
  ['events.k8s.io/events', notSupported],
  ['certificates.k8s.io/certificatesigningrequests', notSupported],
  ['batch/jobs', (field) => `field label ${quote(field)} not supported for Job`],
  ['resource.k8s.io/resourceslices', (field) => `field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: ${field}`],
]);

const REGARDING = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'];
const META = ['metadata.name', 'metadata.namespace'];

/** Fields that go by other names than in the stored form. */
const OLD_NAMES: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([['/pods', new Map([['spec.host', 'spec.nodeName']])]]);
/** The same, of kinds that have no names beside them. */
const OWN_NAMES: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  [
    'events.k8s.io/events',
    new Map([
      ...REGARDING.map((name) => [`regarding.${name}`, `involvedObject.${name}`] as const),
      ['reportingController', 'reportingComponent'],
      ...[...META, 'reason', 'source', 'type'].map((name) => [name, name] as const),
    ]),
  ],
]);

/** A selector by the names of the stored form. @throws {ApiError} 400 if it names a field that cannot be selected by. */
export function storedFields(served: ServedResource, fields: FieldSelector): FieldSelector {
  if (fields.isEmpty) return fields;
  const { group, resource } = served.resource;
  const key = `${group}/${resource}`;
  const [old, own] = [OLD_NAMES.get(key), OWN_NAMES.get(key)];
  const requirements = fields.requirements.map(({ field, ...rest }) => {
    const stored = own === undefined ? (old?.get(field) ?? field) : own.get(field);
    if (stored === undefined) throw badRequest(notSupported(field));
    checkField(served, key, stored);
    return { field: stored, ...rest };
  });
  return new FieldSelector(requirements);
}

function checkField({ resource, store: { strategy } }: ServedResource, key: string, field: string): void {
  if (field === 'metadata.name') return;
  const explain = strategy.schema.coerce === undefined ? SELECTABLE.get(key) : notSupported;
  if (field === 'metadata.namespace' && (resource.namespaced || explain === undefined)) return;
  if (explain === undefined) throw badRequest(`${quote(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`);
  if (!strategy.selectableFields.includes(field)) throw badRequest(explain(field));
}
