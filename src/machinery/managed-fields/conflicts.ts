// SPDX-License-Identifier: Apache-2.0
// Fields that an apply would take from other managers, and the error that names them.
// @source apimachinery managedfields/internal/conflict.go
import type { StatusCause } from '../generated/meta-v1.ts';
import { type ApiError, apiError } from '../status.ts';
import { type ManagerEntry, managerKey } from './entries.ts';
import { difference, type FieldSet, isEmptySet, pathsOf } from './field-set.ts';

export interface Conflict {
  readonly entry: ManagerEntry;
  readonly fields: FieldSet;
}

/** Thrown when an apply would change what others own, and was not told to. */
export class ConflictsError extends Error {
  override readonly name = 'ConflictsError';
  readonly conflicts: readonly Conflict[];

  constructor(conflicts: readonly Conflict[]) {
    super('apply: others own some of the fields');
    this.conflicts = conflicts;
  }
}

/** The conflicts that are left when some fields may be taken. */
export function conflictsWithout(conflicts: readonly Conflict[], allowed: FieldSet): readonly Conflict[] {
  return conflicts.flatMap(({ entry, fields }) => {
    const left = difference(fields, allowed);
    return isEmptySet(left) ? [] : [{ entry, fields: left }];
  });
}

/** 409 with a cause for every field. */
export function conflictError(conflicts: readonly Conflict[]): ApiError {
  const named = conflicts
    .map(({ entry, fields }) => ({ key: managerKey(entry), who: describeManager(entry), paths: pathsOf(fields) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const causes = named.flatMap(({ who, paths }) =>
    paths.map((field): StatusCause => ({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field })),
  );
  const [only] = causes;
  const text =
    causes.length === 1 && only !== undefined
      ? `${only.message}: ${only.field}`
      : named.map(({ who, paths }) => `conflicts with ${who}:\n${paths.map((path) => `- ${path}`).join('\n')}`).join('\n');
  const count = causes.length === 1 ? '1 conflict' : `${causes.length} conflicts`;
  return apiError(409, 'Conflict', `Apply failed with ${count}: ${text}`, { causes });
}

function describeManager({ manager, operation, apiVersion, subresource }: ManagerEntry): string {
  const name = JSON.stringify(manager) + (subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`);
  return operation === 'Apply' ? name : `${name} using ${apiVersion}`;
}
