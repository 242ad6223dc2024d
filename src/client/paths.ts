// SPDX-License-Identifier: Apache-2.0
// Where resources live in URL space: `/api/v1/...` for the core group, `/apis/GROUP/VERSION/...` for the others.
import type { Resource } from '#machinery';

export interface PathParts {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** The path of a collection, an object or a subresource. @throws {RangeError} If a namespaced object is named without its namespace. */
export function resourcePath(resource: Resource<unknown>, { namespace, name, subresource }: PathParts = {}): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  if (resource.namespaced && name !== undefined && !namespace) {
    throw new RangeError(`address ${resource.resource} "${name}": an empty namespace may not be set when a resource name is provided`);
  }
  if (name === '') throw new RangeError(`address ${resource.resource}: resource name may not be empty`);
  const scope = resource.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${resource.resource}${object}${subresource ? `/${subresource}` : ''}`;
}
