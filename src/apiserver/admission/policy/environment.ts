// SPDX-License-Identifier: Apache-2.0
// What expressions of admission policies may name, and how a policy's expressions are compiled: variables in their order, each
// typed by what it evaluates to, so that later expressions can use `variables.x`.
// @source upstream apiserver pkg/admission/plugin/cel/{compile,composition}.go
import type { Variable } from '#api/admissionregistration/v1';
import type { DeepReadonly } from '#machinery';
import type { CelType, Compiled, CompileOptions, ObjectType } from '../../cel/mod.ts';
import { type Cel, variableTypes } from '../webhook/cel-variables.ts';

export type { Cel } from '../webhook/cel-variables.ts';

const DYN: CelType = { kind: 'dyn' };
const STRING: CelType = { kind: 'string' };
const TIMESTAMP: CelType = { kind: 'timestamp' };
const INT: CelType = { kind: 'int' };

function objectType(name: string, fields: Readonly<Record<string, CelType>>): ObjectType {
  return { kind: 'object', name, fields: new Map(Object.entries(fields)) };
}

const TEXTS: CelType = { kind: 'map', key: STRING, value: STRING };
const NAMESPACE = objectType('kubernetes.Namespace', {
  metadata: objectType('kubernetes.NamespaceMetadata', {
    name: STRING,
    generateName: STRING,
    namespace: STRING,
    labels: TEXTS,
    annotations: TEXTS,
    UID: STRING,
    creationTimestamp: TIMESTAMP,
    deletionGracePeriodSeconds: INT,
    deletionTimestamp: TIMESTAMP,
    generation: INT,
    resourceVersion: STRING,
    finalizers: { kind: 'list', element: STRING },
  }),
  spec: objectType('kubernetes.NamespaceSpec', { finalizers: { kind: 'list', element: STRING } }),
  status: objectType('kubernetes.NamespaceStatus', { phase: STRING }),
});

export const VARIABLES = 'variables';

const JSON_PATCH = objectType('JSONPatch', { op: STRING, path: STRING, from: STRING, value: DYN });

/** Types that mutations construct: `JSONPatch`, and `Object` with anything below it. */
export function mutationType(name: string): ObjectType | undefined {
  if (name === 'JSONPatch') return JSON_PATCH;
  if (name !== 'Object' && !name.startsWith('Object.')) return undefined;
  return { kind: 'object', name, fields: new Map(), hasAnyField: true };
}

export const APPLY_CONFIGURATION_RESULT: CelType = { kind: 'object', name: 'Object', fields: new Map() };
export const JSON_PATCH_RESULT: CelType = { kind: 'list', element: JSON_PATCH };

export interface EnvironmentOptions {
  readonly hasParams: boolean;
  /** Whether there is `variables`. @default true */
  readonly hasVariables?: boolean;
  /** Adds `Object{...}` and `JSONPatch{...}`. */
  readonly isMutation?: boolean;
  /** Types where they are known: type checking of policies. @default dyn */
  readonly object?: CelType;
  readonly params?: CelType;
}

/** The expressions of one policy share one. */
export class PolicyEnvironment {
  readonly #cel: Cel;
  readonly #types: Record<string, CelType>;
  readonly #fields = new Map<string, CelType>();
  readonly #mutation: CompileOptions['mutation'];

  constructor(cel: Cel, { hasParams, hasVariables = true, isMutation = false, object = DYN, params = DYN }: EnvironmentOptions) {
    this.#cel = cel;
    this.#types = {
      ...variableTypes(cel),
      object,
      oldObject: object,
      namespaceObject: NAMESPACE,
      ...(hasParams ? { params } : {}),
      ...(hasVariables ? { [VARIABLES]: { kind: 'object', name: 'kubernetes.variables', fields: this.#fields } } : {}),
    };
    this.#mutation = isMutation ? { struct: mutationType } : undefined;
  }

  /** @param hasAuthorizer Message expressions cannot ask the authorizer. */
  compile(expression: string, result: CompileOptions['result'], hasAuthorizer = true): Compiled {
    const { authorizer: _asks, 'authorizer.requestResource': _about, ...rest } = this.#types;
    const variables = hasAuthorizer ? this.#types : rest;
    return this.#cel.compile(expression, {
      variables,
      ...(result === undefined ? {} : { result }),
      ...(this.#mutation === undefined ? {} : { mutation: this.#mutation }),
    });
  }

  /** Compiles a variable, which expressions after it may use, even if it is broken. */
  declare({ name, expression }: DeepReadonly<Variable>): Compiled {
    const compiled = this.compile(expression, 'any');
    this.#fields.set(name, compiled.program === undefined ? DYN : (compiled.resultType ?? DYN));
    return compiled;
  }
}
