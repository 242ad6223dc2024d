// SPDX-License-Identifier: Apache-2.0
// The strategy of CustomResourceDefinitions: stored versions follow the storage version, status has its own endpoint (which takes
// metadata, too, as upstream's does), and validation is
// in definition-validation.ts. @source upstream apiextensions-apiserver pkg/registry/customresourcedefinition/strategy.go
import type { CustomResourceDefinition } from '#api/apiextensions/v1';
import type { DeepReadonly, Resource } from '#machinery';
import { defaultStrategy } from '../registry/default-strategy.ts';
import type { MutableObject, Strategy } from '../registry/strategy.ts';
import { definitionCauses, definitionStatusCauses, definitionUpdateCauses } from './definition-validation.ts';
import { formatWarnings } from './format-warnings.ts';
import type { RuleEngine } from './rule-engine.ts';
import { formSchemas } from './schema-form.ts';
import type { Definition } from './served-definition.ts';

const as = <T>(object: unknown) => object as T;

export function definitionStrategy(resource: Resource, engine: RuleEngine): Strategy {
  const strategy = defaultStrategy(resource, {
    generation: true,
    allowUnconditionalUpdate: false,
    initialStatus: firstStatus,
    afterPrepareForUpdate: addStoredVersion,
    validate: (object) => definitionCauses(as<Definition>(object), engine),
    validateUpdate: (next, previous) => definitionUpdateCauses(as<Definition>(next), as<Definition>(previous), engine),
  });
  const applyDefaults = (object: MutableObject) => {
    formSchemas(object);
    strategy.applyDefaults(object);
  };
  const warnings: Strategy['warnings'] = (object, previous) => [
    ...(strategy.warnings?.(object, previous) ?? []),
    ...formatWarnings(as<Definition>(object), as<Definition | undefined>(previous)),
  ];
  const { status } = strategy.subresources;
  if (status === undefined) return { ...strategy, applyDefaults, warnings };
  const validateUpdate = (next: DeepReadonly<MutableObject>, previous: DeepReadonly<MutableObject>) =>
    definitionStatusCauses(as<Definition>(next), as<Definition>(previous));
  return { ...strategy, applyDefaults, warnings, subresources: { ...strategy.subresources, status: { ...status, validateUpdate } } };
}

/** A new definition stores its storage version and has no conditions yet. */
function firstStatus(object: MutableObject): unknown {
  const storage = as<CustomResourceDefinition>(object).spec?.versions?.find((version) => version.storage);
  return { conditions: null, acceptedNames: { plural: '', kind: '' }, storedVersions: storage === undefined ? null : [storage.name] };
}

/** What was ever the storage version is remembered, until somebody says that nothing is stored in it any more. */
function addStoredVersion(next: MutableObject): void {
  const { spec, status } = as<CustomResourceDefinition>(next);
  const storage = spec.versions?.find((version) => version.storage);
  if (storage === undefined || status === undefined || status.storedVersions?.includes(storage.name)) return;
  status.storedVersions = [...(status.storedVersions ?? []), storage.name];
}
