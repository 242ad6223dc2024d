// SPDX-License-Identifier: Apache-2.0
// cel: Kubernetes' Common Expression Language. `compile` checks an expression against declared variables and makes a program of
// it; programs run on plain JSON under a cost budget. Upstream: cel-go with apiserver pkg/cel. Import it where the first
// expression is compiled, not where the server starts.
export {
  CelError,
  CostBudget,
  CostExceededError,
  MATCH_CONDITIONS_BUDGET,
  PER_CALL_LIMIT,
  RUNTIME_COST_BUDGET,
} from './budget.ts';
export { type CelProgram, type Compiled, type CompileOptions, compile, evaluateAsync } from './compile.ts';
export { convert, fromJson, toJson } from './convert.ts';
export { LIBRARY_TYPES } from './declarations.ts';
export {
  type Authorize,
  AuthorizerValue,
  type CelCheck,
  type CelDecision,
  PendingDecision,
  resourceCheck,
} from './library/authorizer.ts';
export { escapeName } from './property-names.ts';
export { isExposed, typeOfSchema, typeOfStruct } from './schema-types.ts';
export {
  BOOL,
  type CelType,
  DYN,
  describeType,
  formatType,
  INT,
  listOf,
  mapOf,
  NULL,
  type ObjectType,
  optionalOf,
  STRING,
} from './types.ts';
export { failure, LazyFields, ListValue, OptionalValue, StructValue, type Value } from './values.ts';
