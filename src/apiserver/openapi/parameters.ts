// SPDX-License-Identifier: Apache-2.0
// The query parameters of operations, by verb. Those of deletes have their field's description; the others' texts are not at hand.
// @source upstream apimachinery meta/v1 {Get,List,Create,Update,Patch,Delete}Options, api core/v1 Pod*Options, PodLogOptions
import { descriptionOf } from '#api';

const WRITE = ['dryRun', 'fieldManager', 'fieldValidation'];
const SELECT = ['continue', 'fieldSelector', 'labelSelector', 'limit', 'resourceVersion', 'resourceVersionMatch'];
const LIST = ['allowWatchBookmarks', ...SELECT, 'sendInitialEvents', 'timeoutSeconds', 'watch'];
const DELETE = [
  'dryRun',
  'gracePeriodSeconds',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'orphanDependents',
  'propagationPolicy',
];
const BY_VERB: Readonly<Record<string, readonly string[]>> = {
  get: [],
  list: LIST,
  create: WRITE,
  update: WRITE,
  patch: [...WRITE, 'force'],
  delete: DELETE,
  deletecollection: [...SELECT, 'sendInitialEvents', 'timeoutSeconds', ...DELETE].sort(),
};
const OF_CUSTOM: Readonly<Record<string, readonly string[]>> = { get: ['resourceVersion'], patch: WRITE, deletecollection: LIST };

export const LOG_PARAMETERS: readonly string[] = [
  'container',
  'follow',
  'insecureSkipTLSVerifyBackend',
  'limitBytes',
  'previous',
  'sinceSeconds',
  'stream',
  'tailLines',
  'timestamps',
];
const STREAMS = ['container', 'stderr', 'stdin', 'stdout', 'tty'];
export const CONNECT_PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  attach: STREAMS,
  exec: ['command', ...STREAMS],
  portforward: ['ports'],
  proxy: ['path'],
};

export function parametersOf(verb: string, isCustom: boolean): readonly string[] {
  return (isCustom ? OF_CUSTOM[verb] : undefined) ?? BY_VERB[verb] ?? [];
}

const NUMBERS = new Set(['limit', 'timeoutSeconds', 'gracePeriodSeconds', 'limitBytes', 'sinceSeconds', 'tailLines', 'ports']);
const BOOLEANS = new Set([
  'allowWatchBookmarks',
  'follow',
  'force',
  'ignoreStoreReadErrorWithClusterBreakingPotential',
  'insecureSkipTLSVerifyBackend',
  'orphanDependents',
  'previous',
  'sendInitialEvents',
  'stderr',
  'stdin',
  'stdout',
  'timestamps',
  'tty',
  'watch',
]);

/** The type of a parameter of the query. */
export function typeOfParameter(name: string): 'integer' | 'boolean' | 'string' {
  return NUMBERS.has(name) ? 'integer' : BOOLEANS.has(name) ? 'boolean' : 'string';
}

/** @param kind Of the object that a path names. */
export function describeParameter(name: string, kind: string): string | undefined {
  switch (name) {
    case 'name':
      return `name of the ${kind}`;
    case 'namespace':
      return 'object name and auth scope, such as for teams and projects';
    case 'path':
      return 'path to the resource';
    default:
      return DELETE.includes(name) ? descriptionOf('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', name) : undefined;
  }
}
