// SPDX-License-Identifier: Apache-2.0
// Field selectors: `metadata.name=a,status.phase!=Running`. Which fields a resource can be selected by is its own matter.

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

export class FieldSelector {
  readonly requirements: readonly FieldRequirement[];

  constructor(requirements: readonly FieldRequirement[]) {
    this.requirements = requirements;
  }

  get isEmpty(): boolean {
    return this.requirements.length === 0;
  }

  /** @param read The value of a field of the object at hand; absent fields are ''. */
  matches(read: (field: string) => string): boolean {
    return this.requirements.every(({ field, operator, value }) => (read(field) === value) === (operator === '='));
  }

  /** The value that an equality demands of `field`, for use of an index. */
  exact(field: string): string | undefined {
    return this.requirements.find((requirement) => requirement.field === field && requirement.operator === '=')?.value;
  }

  toString(): string {
    return this.requirements.map(({ field, operator, value }) => `${field}${operator}${value.replace(/[\\,=]/g, '\\$&')}`).join(',');
  }
}

export const ANY_FIELDS = new FieldSelector([]);

/** Parses a `fieldSelector` query value. @throws {SyntaxError} With upstream's text. */
export function parseFieldSelector(text: string): FieldSelector {
  const terms = text.match(/(?:\\.|[^,\\])+/gs) ?? [];
  return terms.length === 0 ? ANY_FIELDS : new FieldSelector(terms.map(parseTerm));
}

function parseTerm(term: string): FieldRequirement {
  const match = /^((?:\\.|[^=!\\])*)(!=|==|=)(.*)$/s.exec(term);
  if (match === null) throw new SyntaxError(`invalid selector: '${term}'; can't understand '${term}'`);
  const [, field = '', operator, value = ''] = match;
  return { field, operator: operator === '!=' ? '!=' : '=', value: value.replace(/\\([\\,=])/g, '$1') };
}
