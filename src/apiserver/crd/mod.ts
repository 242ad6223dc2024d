// SPDX-License-Identifier: Apache-2.0
// crd: CustomResourceDefinitions and what they define. The way in: definition-strategy.ts and definition-validation.ts take a definition
// (structural-, schema-, default-, rule-, conversion-validation.ts each check a part), definition-controller.ts brings it along
// (naming.ts plans), custom-resources.ts serves it (served-definition.ts makes what a version needs). A version is a schema
// (custom-schema.ts with pruning.ts, defaulting.ts, object-meta.ts), a strategy (strategy.ts with value-validator.ts, formats.ts,
// list-types.ts, ratcheting.ts, rule-validator.ts), columns (table.ts, json-path.ts), a scale endpoint (scale.ts) and a view of
// the stored objects (version-view.ts, conversion.ts).
export { CustomResources, type CustomResourcesOptions } from './custom-resources.ts';
export { DefinitionController, type DefinitionControllerOptions } from './definition-controller.ts';
export { DefinitionMetrics } from './definition-metrics.ts';
export { RuleEngine } from './rule-engine.ts';
export { DEFINITIONS, type Definition, type ServedDefinition, type ServedVersion } from './served-definition.ts';
