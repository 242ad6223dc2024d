// SPDX-License-Identifier: Apache-2.0
// The query parameters of operations, by verb. Those of deletes have their field's description, the others a short one of our own.
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

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  namespace: 'object name and auth scope, such as for teams and projects',
  path: 'path to the resource',
  pretty: 'whether the answer is indented: true or false',
  allowWatchBookmarks: 'whether a watch may send BOOKMARK events, which carry only a resourceVersion',
  command: 'what to run in the container, a word per parameter; no shell takes part',
  container: 'name of the container; may be left out where the Pod has one only',
  continue: 'the continue token of the answer before, for the next part of a list',
  dryRun: 'All: everything is done but the writing',
  fieldManager: 'who makes this change, as managedFields will name it; at most 128 printable characters',
  fieldSelector: 'only objects whose fields are as said, such as metadata.name=a',
  fieldValidation: 'what becomes of unknown and duplicate fields: Ignore, Warn (as is the default) or Strict',
  follow: 'whether to send what is logged from now on, too',
  force: 'whether apply takes over fields that other managers own; only for apply',
  insecureSkipTLSVerifyBackend: "whether to do without a check of the kubelet's certificate",
  labelSelector: 'only objects whose labels are as said, such as app=a,tier!=b',
  limit: 'how many objects an answer has at most; a continue token leads to the rest',
  limitBytes: 'how many bytes of the log to send at most',
  ports: 'the ports to forward; for WebSockets',
  previous: 'whether to send the log of the container that ran before',
  resourceVersion: 'how old what is read may be, or where a watch begins',
  resourceVersionMatch: 'how resourceVersion is meant: Exact or NotOlderThan',
  sendInitialEvents: 'whether a watch begins with what exists, and a bookmark after it',
  sinceSeconds: 'only what was logged in the last so many seconds',
  stderr: 'whether to stream standard error',
  stdin: 'whether to stream standard input',
  stdout: 'whether to stream standard output',
  stream: 'which log: All, Stdout or Stderr',
  tailLines: 'how many lines from the end of the log to send',
  timeoutSeconds: 'how long a list or watch may take',
  timestamps: 'whether lines begin with their time, as RFC 3339 has it',
  tty: 'whether the process gets a terminal',
  watch: 'whether to send changes as they come rather than a list',
};

/** @param kind Of the object that a path names. */
export function describeParameter(name: string, kind: string): string | undefined {
  if (name === 'name') return `name of the ${kind}`;
  const field = DELETE.includes(name) ? descriptionOf('io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', name) : undefined;
  return field ?? DESCRIPTIONS[name];
}
