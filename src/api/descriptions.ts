// SPDX-License-Identifier: Apache-2.0
// Upstream's descriptions of types and fields, as OpenAPI documents and table columns show them. The text is no part of the tree:
// tools/descriptions.ts takes it from a published package into dist/. Without that file descriptions are simply absent.
import { existsSync, readFileSync } from 'node:fs';

type Texts = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Beside the bundle, or in dist/ for a run from the sources. */
const PLACES = [new URL('./descriptions.json', import.meta.url), new URL('../../dist/descriptions.json', import.meta.url)];
const NOTHING: Texts = {};
/** A megabyte that is wanted for a moment, when a document is built: the collector may have it back. */
let held: WeakRef<Texts> | undefined;

function texts(): Texts {
  const known = held?.deref();
  if (known !== undefined) return known;
  const place = PLACES.find((url) => existsSync(url));
  const read = place === undefined ? NOTHING : (JSON.parse(readFileSync(place, 'utf8')) as Texts);
  held = new WeakRef(read);
  return read;
}

/** `io.k8s.api.core.v1.Pod` is `IoK8sApiCoreV1Pod` there. */
const keyOf = (type: string) => type.replace(/(?:^|[.-])(\w)/g, (_, first: string) => first.toUpperCase());

/**
 * @param type Full name, `io.k8s.api.core.v1.PodSpec`.
 * @param field Its JSON name; '' for the type itself.
 */
export function descriptionOf(type: string, field: string): string | undefined {
  return texts()[keyOf(type)]?.[field];
}
