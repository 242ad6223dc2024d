// SPDX-License-Identifier: Apache-2.0
// SetDefaults of apiextensions.k8s.io/v1: names, conversion, stored versions.
import { setDefault, structAt } from '../defaulting.ts';
import type { CustomResourceDefinition } from '../generated/apiextensions/v1.ts';
import { defaultServicePort } from '../networking/defaults.ts';

export function defaultCustomResourceDefinition(definition: CustomResourceDefinition): void {
  const spec = structAt(definition, 'spec');
  const names = structAt(spec, 'names');
  if (names.kind) {
    setDefault(names, 'singular', names.kind.toLowerCase());
    setDefault(names, 'listKind', `${names.kind}List`);
  }
  const conversion = structAt(spec, 'conversion');
  setDefault(conversion, 'strategy', 'None');
  defaultServicePort(conversion.webhook?.clientConfig?.service);
  const status = structAt(definition, 'status');
  if ((status.storedVersions ?? []).length > 0) return;
  const storage = (spec.versions ?? []).find((version) => version.storage);
  if (storage) status.storedVersions = [storage.name];
}
