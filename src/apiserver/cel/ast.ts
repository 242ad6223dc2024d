// SPDX-License-Identifier: Apache-2.0
// The syntax tree of an expression after its macros were expanded: cel-go's, with operators as calls by their function names
// (`_+_`, `_?_:_`, `_?._`). The checker writes types and overloads into the nodes.
import type { Overload } from './declarations.ts';
import type { CelType } from './types.ts';
import type { Value } from './values.ts';

interface Node {
  /** Offset in code points, where errors point to. */
  readonly at: number;
  /** Set by the checker. */
  type?: CelType;
}
export interface ConstNode extends Node {
  readonly kind: 'const';
  readonly value: Value;
}
export interface IdentNode extends Node {
  readonly kind: 'ident';
  readonly name: string;
  /** A name of a type, which is a constant. */
  named?: CelType;
}
export interface SelectNode extends Node {
  readonly kind: 'select';
  readonly operand: Expr;
  readonly field: string;
  /** `has(operand.field)`. */
  readonly testOnly: boolean;
  /** The whole chain is one qualified name of a type. */
  named?: CelType;
  /** The whole chain is one variable: `authorizer.requestResource`. */
  variable?: string;
}
export interface CallNode extends Node {
  readonly kind: 'call';
  /** Qualified once the checker found a namespaced function: `ip.isCanonical`. */
  function: string;
  target: Expr | undefined;
  readonly args: readonly Expr[];
  overloads?: readonly Overload[];
  /** Further overloads that a value whose type was not known may turn out to need. */
  others?: readonly Overload[];
}
export interface ListNode extends Node {
  readonly kind: 'list';
  readonly elements: readonly Expr[];
  readonly optional: ReadonlySet<number>;
}
export interface Entry {
  readonly at: number;
  readonly key: Expr;
  readonly value: Expr;
  readonly optional: boolean;
}
export interface MapNode extends Node {
  readonly kind: 'map';
  readonly entries: readonly Entry[];
}
export interface StructNode extends Node {
  readonly kind: 'struct';
  readonly name: string;
  readonly fields: readonly { readonly at: number; readonly name: string; readonly value: Expr; readonly optional: boolean }[];
}
export interface FoldNode extends Node {
  readonly kind: 'fold';
  readonly variable: string;
  readonly variable2: string | undefined;
  readonly range: Expr;
  readonly accumulator: string;
  readonly initial: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
}
export type Expr = ConstNode | IdentNode | SelectNode | CallNode | ListNode | MapNode | StructNode | FoldNode;

/** The expressions a node is made of. */
export function childrenOf(node: Expr): readonly Expr[] {
  switch (node.kind) {
    case 'const':
    case 'ident':
      return [];
    case 'select':
      return [node.operand];
    case 'call':
      return node.target === undefined ? node.args : [node.target, ...node.args];
    case 'list':
      return node.elements;
    case 'map':
      return node.entries.flatMap(({ key, value }) => [key, value]);
    case 'struct':
      return node.fields.map(({ value }) => value);
    case 'fold':
      return [node.range, node.initial, node.condition, node.step, node.result];
  }
}
