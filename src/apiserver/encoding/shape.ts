// SPDX-License-Identifier: Apache-2.0
// A list has no metadata of an object, an object none of a list: who asks for the wrong one of the two is told what is there, by
// the names that upstream's Go types have.
// @source upstream apiserver pkg/endpoints/handlers/response.go asPartialObjectMetadata, asPartialObjectMetadataList
import { notAcceptable } from '#machinery';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { Output } from './negotiation.ts';
import { goPackageOf } from './registered-kinds.ts';

/** @throws {ApiError} 406 where an object is asked for as a list, or a list as an object. */
export function checkShape({ transform }: Output, { resource, itemsHaveKind, listKind }: ServedResource, isList: boolean): void {
  const wrong = isList ? 'PartialObjectMetadata' : 'PartialObjectMetadataList';
  if (transform !== wrong) return;
  const custom = isList ? 'unstructured.UnstructuredList' : 'unstructured.Unstructured';
  const type = itemsHaveKind ? custom : `${goPackageOf(resource.group)}.${isList ? listKind : resource.kind}`;
  throw notAcceptable(`you requested ${wrong}, but the requested object is ${isList ? 'a' : 'not a'} list (*${type})`);
}
