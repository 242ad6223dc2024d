// SPDX-License-Identifier: Apache-2.0
// What an AuthorizationConfiguration must look like, match conditions apart: those are judged where they are compiled.
// @source upstream apiserver pkg/apis/apiserver/validation/validation.go ValidateAuthorizationConfiguration
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import {
  checkDns1123Subdomain,
  duplicateValue,
  type FieldCause,
  type FieldPath,
  field,
  invalidValue,
  notSupported,
  required,
  tooMany,
} from '#machinery';
import { DurationError, parseGoDuration } from '../filters/go-duration.ts';
import type { AuthorizerConfiguration, WebhookConfiguration } from './authorization-configuration.ts';

const TYPES = ['ABAC', 'AlwaysAllow', 'AlwaysDeny', 'Node', 'RBAC', 'Webhook'];
const LONGEST_TIMEOUT_MS = 30_000;
const MAX_CONDITIONS = 64;

export function authorizationCauses(authorizers: readonly AuthorizerConfiguration[]): FieldCause[] {
  if (authorizers.length === 0) return [required(field('authorizers'), 'at least one authorization mode must be defined')];
  const types = new Set<string>();
  const names = new Set<string>();
  return authorizers.flatMap((authorizer, index) => authorizerCauses(authorizer, field('authorizers').index(index), types, names));
}

function authorizerCauses(
  { type = '', name = '', webhook }: AuthorizerConfiguration,
  path: FieldPath,
  types: Set<string>,
  names: Set<string>,
): FieldCause[] {
  if (type === '') return [required(path.child('type'))];
  if (!TYPES.includes(type)) return [notSupported(path.child('type'), type, TYPES)];
  if (types.has(type) && type !== 'Webhook') return [duplicateValue(path.child('type'), type)];
  types.add(type);
  const causes = nameCauses(name, path.child('name'), names);
  names.add(name);
  if (type === 'Webhook')
    return [
      ...causes,
      ...(webhook === undefined ? [required(path.child('webhook'), 'required when type=Webhook')] : webhookCauses(webhook, path)),
    ];
  return webhook === undefined
    ? causes
    : [...causes, invalidValue(path.child('webhook'), 'non-null', 'may only be specified when type=Webhook')];
}

function nameCauses(name: string, path: FieldPath, seen: ReadonlySet<string>): FieldCause[] {
  if (name === '') return [required(path)];
  if (seen.has(name)) return [duplicateValue(path, name)];
  const problems = checkDns1123Subdomain(name);
  return problems.length === 0 ? [] : [invalidValue(path, name, `authorizer name is invalid: ${problems.join(', ')}`)];
}

const POLICIES = ['NoOpinion', 'Deny'];
const CONNECTIONS = ['InClusterConfig', 'KubeConfigFile'];

/** Paths are those of the authorizer, as upstream has them. */
function webhookCauses(webhook: WebhookConfiguration, path: FieldPath): FieldCause[] {
  const { subjectAccessReviewVersion: version = '', failurePolicy = '' } = webhook;
  return [
    ...timeoutCauses(webhook.timeout, path.child('timeout')),
    ...ttlCauses(webhook.authorizedTTL, path.child('authorizedTTL')),
    ...ttlCauses(webhook.unauthorizedTTL, path.child('unauthorizedTTL')),
    ...choiceCauses(version, path.child('subjectAccessReviewVersion'), ['v1', 'v1beta1']),
    ...conditionVersionCauses(webhook, path.child('matchConditionSubjectAccessReviewVersion')),
    ...choiceCauses(failurePolicy, path.child('failurePolicy'), POLICIES),
    ...connectionCauses(webhook.connectionInfo ?? {}, path.child('connectionInfo')),
    ...conditionCauses(webhook.matchConditions ?? [], path.child('matchConditions')),
  ];
}

function choiceCauses(value: string, path: FieldPath, choices: readonly string[]): FieldCause[] {
  if (value === '') return [required(path)];
  return choices.includes(value) ? [] : [notSupported(path, value, choices)];
}

/** @returns Milliseconds, or what is wrong with the text. */
function durationOf(text: string | undefined): number | string {
  if (text === undefined || text === '') return 0;
  try {
    return parseGoDuration(text);
  } catch (error) {
    if (error instanceof DurationError) return error.message;
    throw error;
  }
}

function timeoutCauses(text: string | undefined, path: FieldPath): FieldCause[] {
  const timeoutMs = durationOf(text);
  if (typeof timeoutMs === 'string') return [invalidValue(path, text, timeoutMs)];
  if (timeoutMs === 0) return [required(path)];
  return timeoutMs > LONGEST_TIMEOUT_MS || timeoutMs < 0 ? [invalidValue(path, goText(timeoutMs), 'must be > 0s and <= 30s')] : [];
}

/** Absent: its default counts. */
function ttlCauses(text: string | undefined, path: FieldPath): FieldCause[] {
  const ttlMs = durationOf(text);
  if (typeof ttlMs === 'string') return [invalidValue(path, text, ttlMs)];
  return ttlMs < 0 ? [invalidValue(path, goText(ttlMs), 'must be > 0s')] : [];
}

/** As Go prints a duration: `1m0s`, `1.5s`. */
function goText(ms: number): string {
  const sign = ms < 0 ? '-' : '';
  const seconds = Math.abs(ms) / 1000;
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = `${Number((seconds % 60).toFixed(9))}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${rest}`;
  if (minutes > 0) return `${sign}${minutes}m${rest}`;
  return seconds < 1 ? `${sign}${seconds * 1000}ms` : `${sign}${rest}`;
}

function conditionVersionCauses(
  { matchConditionSubjectAccessReviewVersion: version = '', matchConditions = [] }: WebhookConfiguration,
  path: FieldPath,
): FieldCause[] {
  if (version !== '') return version === 'v1' ? [] : [notSupported(path, version, ['v1'])];
  return matchConditions.length > 0 ? [required(path, 'required if match conditions are specified')] : [];
}

function connectionCauses(
  { type = '', kubeConfigFile }: NonNullable<WebhookConfiguration['connectionInfo']>,
  path: FieldPath,
): FieldCause[] {
  const file = path.child('kubeConfigFile');
  if (type === '') return [required(path.child('type'))];
  if (type === 'InClusterConfig')
    return kubeConfigFile === undefined ? [] : [invalidValue(file, kubeConfigFile, 'can only be set when type=KubeConfigFile')];
  if (type !== 'KubeConfigFile')
    return [notSupported(path.child('type'), { Type: type, KubeConfigFile: kubeConfigFile ?? null }, CONNECTIONS)];
  if (kubeConfigFile === undefined || kubeConfigFile === '') return [required(file)];
  const why = fileProblem(kubeConfigFile);
  return why === undefined ? [] : [invalidValue(file, kubeConfigFile, why)];
}

function fileProblem(path: string): string | undefined {
  if (!isAbsolute(path)) return 'must be an absolute path';
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return `error loading file: stat ${path}: no such file or directory`;
  return found.isFile() ? undefined : 'must be a regular file';
}

function conditionCauses(conditions: NonNullable<WebhookConfiguration['matchConditions']>, path: FieldPath): FieldCause[] {
  if (conditions.length > MAX_CONDITIONS) return [tooMany(path, conditions.length, MAX_CONDITIONS)];
  const seen = new Set<string>();
  return conditions.flatMap(({ expression = '' }, index) => {
    const at = path.index(index).child('expression');
    if (expression.trim() === '') return [required(at)];
    if (seen.has(expression)) return [duplicateValue(at, expression)];
    seen.add(expression);
    return [];
  });
}
