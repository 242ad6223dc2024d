// SPDX-License-Identifier: Apache-2.0
// From text to a program: parse, check, validate literals, check the result's type, make closures. The environment is that of
// Kubernetes 1.36 (apiserver pkg/cel/environment/base.go), which every expression of the API has in common.
import { childrenOf, type Expr } from './ast.ts';
import { CelError, type CostBudget, CostExceededError, PER_CALL_LIMIT } from './budget.ts';
import { Checker } from './checker.ts';
import { CostEstimator } from './cost-estimate.ts';
import { Functions } from './declarations.ts';
import { assemble, ConstantError, type Executable } from './interpreter.ts';
import { ADDRESSES } from './library/addresses.ts';
import { AUTHORIZER, PendingDecision } from './library/authorizer.ts';
import { FORMAT } from './library/format.ts';
import { JSON_PATCH } from './library/json-patch.ts';
import { LISTS } from './library/lists.ts';
import { OPTIONAL } from './library/optional.ts';
import { QUANTITY } from './library/quantity.ts';
import { REGEX, regexProblem } from './library/regex.ts';
import { SEMVER } from './library/semver.ts';
import { STANDARD } from './library/standard.ts';
import { STRINGS } from './library/strings.ts';
import { URLS } from './library/urls.ts';
import { Parser } from './parser.ts';
import { LIMITS, Source } from './source.ts';
import { parseDuration, parseTimestamp } from './time.ts';
import { BOOL, type CelType, describeType, ERROR, isSameType, type ObjectType, STRING } from './types.ts';
import type { Value } from './values.ts';

const LIBRARIES = [STANDARD, STRINGS, LISTS, OPTIONAL, REGEX, URLS, QUANTITY, ADDRESSES, FORMAT, SEMVER, AUTHORIZER];
const FUNCTIONS = new Functions(LIBRARIES);
const MUTATION_FUNCTIONS = new Functions([...LIBRARIES, JSON_PATCH]);

export interface CompileOptions {
  readonly variables: Readonly<Record<string, CelType>>;
  /** What the whole must be; several types are alternatives. @default any */
  readonly result?: 'bool' | 'string' | 'any' | CelType | readonly CelType[];
  /** Adds `cel.bind(name, value, expression)`. @default false */
  readonly hasBindings?: boolean;
  /** Adds what only mutations have: `jsonpatch.escapeKey`, and types that expressions construct, by name. */
  readonly mutation?: { readonly struct: (name: string) => ObjectType | undefined };
}

export interface Compiled {
  /** Empty when it compiled; each as upstream prints it, after "compilation failed: " where `failure` is `compilation`. */
  readonly errors: readonly string[];
  /** The step that failed: the text itself, the type of the result, or constants that can only fail. */
  readonly failure: 'compilation' | 'result' | 'program' | undefined;
  /** The whole complaint, as upstream prints it for policies: "compilation failed: ...", "must evaluate to ...". */
  readonly problem: string | undefined;
  readonly program: CelProgram | undefined;
  readonly resultType: CelType | undefined;
  estimateCost(): { readonly min: number; readonly max: number };
  /** Whether the expression reads this variable. */
  reads(variable: string): boolean;
}

export interface CelProgram {
  /**
   * Runs once, on plain JSON or values.
   *
   * @throws {CelError} If evaluation fails. @throws {CostExceededError} If the call, or the budget, costs too much.
   * @throws {PendingDecision} If an authorization check has to be waited for; see `evaluateAsync`.
   */
  evaluate(variables: Readonly<Record<string, unknown>>, budget: CostBudget): unknown;
}

class Program implements CelProgram {
  readonly #executable: Executable;
  constructor(executable: Executable) {
    this.#executable = executable;
  }
  evaluate(variables: Readonly<Record<string, unknown>>, budget: CostBudget): Value {
    const { value, cost } = this.#execute(variables, budget);
    budget.charge(cost);
    if (budget.isExhausted) throw new CostExceededError('budget');
    return value;
  }
  #execute(variables: Readonly<Record<string, unknown>>, budget: CostBudget): { readonly value: Value; readonly cost: number } {
    try {
      return this.#executable.execute(variables, PER_CALL_LIMIT);
    } catch (error) {
      if (error instanceof CostExceededError) budget.charge(PER_CALL_LIMIT + 1);
      else if (error instanceof CelError) budget.charge(Number((error as CelError & { cost?: number }).cost ?? 0));
      else if (error instanceof RangeError) throw new CelError(`evaluation failed: ${error.message}`, { cause: error });
      throw error;
    }
  }
}

/** Evaluates; waits for authorization decisions and begins again where one was missing. */
export async function evaluateAsync(
  program: CelProgram,
  variables: Readonly<Record<string, unknown>>,
  budget: CostBudget,
): Promise<unknown> {
  for (;;) {
    try {
      return program.evaluate(variables, budget);
    } catch (error) {
      if (!(error instanceof PendingDecision)) throw error;
      await error.decision;
    }
  }
}

const LITERALS: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ['duration', (text: string) => parseDuration(text) !== undefined],
  ['timestamp', (text: string) => parseTimestamp(text) !== undefined],
  ['matches', (text: string) => regexProblem(text) === undefined],
]);

/** Literals that can only fail: durations, times, patterns. */
function checkLiterals(expr: Expr, source: Source): void {
  if (expr.kind === 'call') {
    const isValid = LITERALS.get(expr.function);
    const arg = expr.args.at(expr.function === 'matches' ? -1 : 0);
    if (isValid !== undefined && arg?.kind === 'const' && typeof arg.value === 'string' && !isValid(arg.value))
      source.report(arg.at, `invalid ${expr.function} argument`);
  }
  for (const child of childrenOf(expr)) checkLiterals(child, source);
}

function wantedTypes(result: CompileOptions['result']): readonly CelType[] {
  if (result === undefined || result === 'any') return [];
  if (result === 'bool') return [BOOL];
  if (result === 'string') return [STRING];
  return 'kind' in result ? [result] : result;
}

function resultProblem(type: CelType, wanted: readonly CelType[]): string | undefined {
  if (wanted.length === 0 || wanted.some((one) => isSameType(one, type))) return undefined;
  const names = wanted.map(describeType);
  const expected = names.length === 1 ? names[0] : `one of [${names.join(' ')}]`;
  return `must evaluate to ${expected} but got ${describeType(type)}`;
}

const PREFIXES = { compilation: 'compilation failed: ', result: '', program: 'program instantiation failed: ' };

function failed(failure: keyof typeof PREFIXES, error: string, resultType?: CelType): Compiled {
  return {
    errors: [error],
    failure,
    problem: `${PREFIXES[failure]}${error}`,
    program: undefined,
    resultType,
    estimateCost: () => ({ min: 0, max: 0 }),
    reads: () => false,
  };
}

function readNames(expr: Expr, names: Set<string>): Set<string> {
  if (expr.kind === 'ident') names.add(expr.name.replace(/^\./, ''));
  else if (expr.kind === 'select' && expr.variable !== undefined) names.add(expr.variable);
  for (const child of childrenOf(expr)) readNames(child, names);
  return names;
}

/** Compiles one expression; what is wrong with it is in the answer, never thrown. */
export function compile(expression: string, options: CompileOptions): Compiled {
  const source = new Source(expression);
  if (source.length > LIMITS.codePoints) {
    source.report(-1, `expression code point size exceeds limit: size: ${source.length}, limit ${LIMITS.codePoints}`);
    return failed('compilation', source.print());
  }
  const expr = new Parser(source, options).parse();
  const variables = new Map(Object.entries(options.variables));
  const functions = options.mutation === undefined ? FUNCTIONS : MUTATION_FUNCTIONS;
  const struct = options.mutation?.struct ?? (() => undefined);
  let resultType = ERROR;
  if (source.issues.length === 0) resultType = new Checker(source, { variables, functions, struct }).check(expr);
  if (source.issues.length === 0) checkLiterals(expr, source);
  if (source.issues.length > 0) return failed('compilation', source.print());
  const unfit = resultProblem(resultType, wantedTypes(options.result));
  if (unfit !== undefined) return failed('result', unfit, resultType);
  return assembled(expr, variables, resultType);
}

function assembled(expr: Expr, variables: ReadonlyMap<string, CelType>, resultType: CelType): Compiled {
  try {
    const program = new Program(assemble(expr, variables));
    return {
      errors: [],
      failure: undefined,
      problem: undefined,
      program,
      resultType,
      estimateCost: () => new CostEstimator(variables).estimate(expr),
      reads: (variable) => readNames(expr, new Set()).has(variable),
    };
  } catch (error) {
    if (!(error instanceof ConstantError)) throw error;
    return failed('program', error.message, resultType);
  }
}
