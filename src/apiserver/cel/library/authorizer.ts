// SPDX-License-Identifier: Apache-2.0
// Authorization checks in expressions (apiserver pkg/cel/library/authz.go). Expressions run synchronously and the authorizer may
// not: a check that has no answer yet ends the run with `PendingDecision`; the caller waits for it and runs again, and the
// answers so far are remembered.
import { parseFieldSelector, parseSelector } from '#machinery';
import type { Library } from '../declarations.ts';
import { failure, type Opaque, type Value } from '../values.ts';

/** What an expression asks about. */
export interface CelCheck {
  /** Set where `serviceAccount(namespace, name)` changed who asks. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string };
  readonly verb: string;
  /** Set for checks of a path. */
  readonly path?: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}
export interface CelDecision {
  readonly allowed: boolean;
  readonly reason?: string;
  readonly error?: string;
}
export type Authorize = (check: CelCheck) => CelDecision | Promise<CelDecision>;

/** Thrown by an evaluation that needs a decision which is on its way. */
export class PendingDecision extends Error {
  readonly decision: Promise<void>;
  constructor(decision: Promise<void>) {
    super('authorization decision pending');
    this.decision = decision;
  }
}

/** The variable `authorizer`: one per request, so that its decisions are made once. */
export class AuthorizerValue implements Opaque {
  readonly opaque = 'kubernetes.authorization.Authorizer';
  readonly #authorize: Authorize;
  readonly #known: Map<string, CelDecision>;
  readonly #account: CelCheck['serviceAccount'];
  constructor(authorize: Authorize, account?: CelCheck['serviceAccount'], known = new Map<string, CelDecision>()) {
    this.#authorize = authorize;
    this.#account = account;
    this.#known = known;
  }
  equals(other: unknown): boolean {
    return other === this;
  }
  as(namespace: string, name: string): AuthorizerValue {
    return new AuthorizerValue(this.#authorize, { namespace, name }, this.#known);
  }
  /** @throws {PendingDecision} */
  decide(check: CelCheck): DecisionValue {
    const full = this.#account === undefined ? check : { ...check, serviceAccount: this.#account };
    const key = JSON.stringify(full);
    const known = this.#known.get(key);
    if (known !== undefined) return new DecisionValue(known);
    const decision = this.#authorize(full);
    if (!(decision instanceof Promise)) {
      this.#known.set(key, decision);
      return new DecisionValue(decision);
    }
    throw new PendingDecision(
      decision.then(
        (made) => void this.#known.set(key, made),
        (error: unknown) => void this.#known.set(key, { allowed: false, error: error instanceof Error ? error.message : String(error) }),
      ),
    );
  }
}

class DecisionValue implements Opaque {
  readonly opaque = 'kubernetes.authorization.Decision';
  readonly decision: CelDecision;
  constructor(decision: CelDecision) {
    this.decision = decision;
  }
  equals(other: unknown): boolean {
    return other === this;
  }
}

/** A path, a group, or a resource about to be asked about. */
class CheckValue implements Opaque {
  readonly opaque: string;
  readonly authorizer: AuthorizerValue;
  readonly check: CelCheck;
  constructor(kind: 'PathCheck' | 'GroupCheck' | 'ResourceCheck', authorizer: AuthorizerValue, check: CelCheck) {
    this.opaque = `kubernetes.authorization.${kind}`;
    this.authorizer = authorizer;
    this.check = check;
  }
  equals(other: unknown): boolean {
    return other === this;
  }
}

const NOTHING: CelCheck = { verb: '', group: '', resource: '', subresource: '', namespace: '', name: '' };

/** The variable `authorizer.requestResource`: what the request itself is about. */
export function resourceCheck(authorizer: AuthorizerValue, about: Omit<CelCheck, 'verb'>): Value {
  return new CheckValue('ResourceCheck', authorizer, { ...about, verb: '' });
}

function refined(value: Value | undefined, change: Partial<CelCheck>): Value {
  const { authorizer, check } = value as unknown as CheckValue;
  return new CheckValue('ResourceCheck', authorizer, { ...check, ...change });
}

function checked(value: Value | undefined, verb: Value | undefined): Value {
  const { authorizer, check } = value as unknown as CheckValue;
  return authorizer.decide({ ...check, verb: verb as string });
}

/** Selectors that do not parse restrict nothing: the check is for all. */
function parses(parse: (text: string) => unknown, text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}

function selected(value: Value | undefined, kind: 'fieldSelector' | 'labelSelector', text: string): Value {
  const parse = kind === 'fieldSelector' ? parseFieldSelector : parseSelector;
  return parses(parse, text) ? refined(value, { [kind]: text }) : (value as Value);
}

const decision = (value: Value | undefined) => (value as unknown as DecisionValue).decision;
const authorizer = (value: Value | undefined) => value as unknown as AuthorizerValue;

export const AUTHORIZER: Library = {
  path: [
    [
      'authorizer_path',
      'Authorizer.(string)->PathCheck',
      (value, path) =>
        path === ''
          ? failure('path must not be empty')
          : new CheckValue('PathCheck', authorizer(value), { ...NOTHING, path: path as string }),
    ],
  ],
  group: [
    [
      'authorizer_group',
      'Authorizer.(string)->GroupCheck',
      (value, group) => new CheckValue('GroupCheck', authorizer(value), { ...NOTHING, group: group as string }),
    ],
  ],
  serviceAccount: [
    [
      'authorizer_serviceaccount',
      'Authorizer.(string,string)->Authorizer',
      (value, namespace, name) => authorizer(value).as(namespace as string, name as string),
    ],
  ],
  resource: [
    ['groupcheck_resource', 'GroupCheck.(string)->ResourceCheck', (value, resource) => refined(value, { resource: resource as string })],
  ],
  subresource: [
    [
      'resourcecheck_subresource',
      'ResourceCheck.(string)->ResourceCheck',
      (value, subresource) => refined(value, { subresource: subresource as string }),
    ],
  ],
  namespace: [
    [
      'resourcecheck_namespace',
      'ResourceCheck.(string)->ResourceCheck',
      (value, namespace) => refined(value, { namespace: namespace as string }),
    ],
  ],
  name: [['resourcecheck_name', 'ResourceCheck.(string)->ResourceCheck', (value, name) => refined(value, { name: name as string })]],
  fieldSelector: [
    [
      'resourcecheck_fieldselector',
      'ResourceCheck.(string)->ResourceCheck',
      (value, text) => selected(value, 'fieldSelector', text as string),
    ],
  ],
  labelSelector: [
    [
      'resourcecheck_labelselector',
      'ResourceCheck.(string)->ResourceCheck',
      (value, text) => selected(value, 'labelSelector', text as string),
    ],
  ],
  check: [
    ['pathcheck_check', 'PathCheck.(string)->Decision', checked],
    ['resourcecheck_check', 'ResourceCheck.(string)->Decision', checked],
  ],
  allowed: [['decision_allowed', 'Decision.()->bool', (value) => decision(value).allowed]],
  reason: [['decision_reason', 'Decision.()->string', (value) => decision(value).reason ?? '']],
  errored: [['decision_errored', 'Decision.()->bool', (value) => decision(value).error !== undefined]],
  error: [['decision_error', 'Decision.()->string', (value) => decision(value).error ?? '']],
};
