// SPDX-License-Identifier: Apache-2.0
// FlowSchemas and PriorityLevelConfigurations without which no server works: `exempt` and `catch-all` may not be changed.
// @source upstream pkg/apis/flowcontrol/validation: MandatoryFlowSchemas, ValidateIfMandatoryPriorityLevelConfigurationObject
import { internalForm, validateObject, validateObjectUpdate } from '#api';
import { type DeepReadonly, type FieldCause, invalidValue, type Resource, semanticEqual } from '#machinery';
import { flowSchemas, priorityLevels } from '../../flow/flow-objects.ts';
import { defaultStrategy } from '../default-strategy.ts';
import type { MutableObject, Strategy } from '../strategy.ts';

type Specs = ReadonlyMap<string, object>;
const MANDATORY = ['exempt', 'catch-all'];

function specsOf(objects: readonly { readonly metadata: { readonly name?: string }; readonly spec: object }[]): Specs {
  return new Map(
    objects.flatMap(({ metadata, spec }) => (MANDATORY.includes(metadata.name ?? '') ? [[metadata.name ?? '', spec] as const] : [])),
  );
}

/** What an administrator may still choose: how much the exempt level lends. */
function withoutExempt(spec: object): object {
  const { exempt: _, ...rest } = spec as { exempt?: unknown };
  return rest;
}

function mandatoryCauses(specs: Specs, object: DeepReadonly<MutableObject>): readonly FieldCause[] {
  const { name } = object.metadata;
  const spec = object['spec'] as object;
  const fixed = specs.get(name);
  if (fixed === undefined) return [];
  const isExemptLevel = 'exempt' in fixed;
  const same = isExemptLevel ? semanticEqual(withoutExempt(spec), withoutExempt(fixed)) : semanticEqual(spec, fixed);
  if (same) return [];
  const what = isExemptLevel ? `spec of '${name}' except the \`spec.exempt\` field` : `spec of '${name}'`;
  return [invalidValue('spec', internalForm(spec), `${what} must equal the fixed value`)];
}

/** @param resource flowschemas or prioritylevelconfigurations */
export function flowControlStrategy(resource: Resource): Strategy {
  const specs = specsOf((resource.resource === 'flowschemas' ? flowSchemas() : priorityLevels()) as never);
  const of = { group: resource.group, version: resource.version, kind: resource.kind };
  return defaultStrategy(resource, {
    generation: true,
    statusKeepsMetadata: true,
    validate: (object) => [...validateObject(of, object), ...mandatoryCauses(specs, object)],
    validateUpdate: (next, previous) => [...validateObjectUpdate(of, next, previous, ''), ...mandatoryCauses(specs, next)],
  });
}
