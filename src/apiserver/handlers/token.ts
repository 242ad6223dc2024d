// SPDX-License-Identifier: Apache-2.0
// POST of a TokenRequest for a service account: a bound, short-lived token.
// @source upstream pkg/registry/core/serviceaccount/storage/token.go

import { nodes, pods, schemaOfType, secrets } from '#api';
import type { TokenRequest } from '#api/authentication/v1';
import type { Pod } from '#api/core/v1';
import { formatTime } from '#component';
import {
  badRequest,
  conflict,
  type DeepReadonly,
  invalid,
  type KubeObject,
  notFound,
  quote,
  type Resource,
  type StructSchema,
} from '#machinery';
import type { ServiceAccountTokens, TokenSubject } from '../auth/tokens.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';
import { checkNamespace, readAs } from './body.ts';
import type { ServerParts } from './endpoint.ts';
import { bookUpdate } from './field-ownership.ts';
import { plainForm } from './get.ts';
import { writeContextOf } from './options.ts';

const TOKEN_REQUEST = schemaOfType('io.k8s.api.authentication.v1.TokenRequest') as StructSchema;
const KIND = { kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1' };
const HOUR_SECONDS = 3600;
/** Kubelets ask for this much; they get a token that lives a year and warns after the hour, for clients that never reload. */
const WARN_AFTER_SECONDS = HOUR_SECONDS + 7;
const YEAR_SECONDS = 365 * 24 * HOUR_SECONDS;
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;

export async function requestToken(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  tokens: ServiceAccountTokens,
): Promise<ApiResult> {
  const { namespace, name } = context.info;
  const output = plainForm(context);
  const request = (await readAs(context, TOKEN_REQUEST, KIND)) as unknown as TokenRequest;
  const write = writeContextOf(context, served, 'CreateOptions');
  checkNamespace(request.metadata, namespace);
  checkName(request, name);
  await parts.cacher.fresh();
  const account = served.store.get(namespace, name).object;
  request.spec.expirationSeconds ??= HOUR_SECONDS;
  checkDuration(request);
  bookUpdate(
    { ...served, schema: TOKEN_REQUEST, apiVersion: 'authentication.k8s.io/v1' },
    write,
    undefined,
    request as unknown as MutableObject,
    ['status'],
    parts.clock.now(),
  );
  const calls = parts.admission.callsFor(context, served, 'CREATE', 'token', write.dryRun, name);
  await calls.mutate(request as unknown as MutableObject, undefined);
  await calls.validate(request as unknown as MutableObject, undefined);
  const subject = subjectOf(request, account, namespace, parts);
  const asked = shortened(context, request.spec.expirationSeconds, tokens.maxExpirationSeconds);
  const extended = tokens.extendsExpiration && asked === WARN_AFTER_SECONDS && subject.pod !== undefined;
  const audiences = (request.spec.audiences?.length ?? 0) > 0 ? (request.spec.audiences ?? []) : tokens.audiences;
  const issued = await tokens.issue(subject, {
    audiences,
    expirationSeconds: extended ? Math.min(YEAR_SECONDS, tokens.maxExpirationSeconds ?? YEAR_SECONDS) : asked,
    warnAfterSeconds: extended ? asked : undefined,
  });
  const now = parts.clock.now();
  const { metadata } = account;
  const answer = {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: {
      name,
      namespace,
      uid: metadata.uid,
      creationTimestamp: formatTime(now),
      ...(request.metadata.managedFields === undefined ? {} : { managedFields: request.metadata.managedFields }),
    },
    spec: { audiences, expirationSeconds: asked, boundObjectRef: request.spec.boundObjectRef ?? null },
    status: { token: issued.token, expirationTimestamp: formatTime(extended ? now + asked * 1000 : issued.expiresAt) },
  };
  return { ...objectResult(201, answer), output };
}

function shortened(context: RequestContext, asked: number, longest = Number.POSITIVE_INFINITY): number {
  if (asked <= longest) return asked;
  context.warn(`requested expiration of ${asked} seconds shortened to ${longest} seconds`);
  return longest;
}

function checkName({ metadata }: TokenRequest, name: string): void {
  if (!metadata.name || metadata.name === name) return;
  const message = `Invalid value: ${quote(metadata.name)}: must match the service account name if specified`;
  throw invalid(KIND, name, [{ reason: 'FieldValueInvalid', field: 'metadata.name', message }]);
}

function checkDuration({ spec }: TokenRequest): void {
  const seconds = spec.expirationSeconds ?? HOUR_SECONDS;
  if (seconds >= MIN_SECONDS && seconds <= MAX_SECONDS) return;
  const limit = seconds < MIN_SECONDS ? 'less than 10 minutes' : 'larger than 2^32 seconds';
  const message = `Invalid value: ${seconds}: may not specify a duration ${limit}`;
  throw invalid(KIND, '', [{ reason: 'FieldValueInvalid', field: 'spec.expirationSeconds', message }]);
}

function subjectOf({ spec }: TokenRequest, account: DeepReadonly<MutableObject>, namespace: string, { reader }: ServerParts): TokenSubject {
  const reference = spec.boundObjectRef;
  const base = { namespace, account: account as DeepReadonly<KubeObject> };
  if (reference === undefined || reference === null) return base;
  const { kind = '', apiVersion = '', name = '', uid = '' } = reference;
  const find = <T extends KubeObject>(resource: Resource<T>, scoped: boolean): DeepReadonly<T> => {
    if (name === '') throw badRequest('Name parameter required.');
    const found = reader.find(resource, scoped ? { namespace, name } : { name });
    if (found === undefined) throw notFound(resource, name);
    return found;
  };
  const same = <T extends KubeObject>(found: DeepReadonly<T>): DeepReadonly<T> => {
    if (uid === '' || uid === found.metadata.uid) return found;
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict({ group: '', resource: kind }, name, why);
  };
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  // Whatever version of the core group is named: there is one.
  if (group === '' && kind === 'Pod') {
    const pod = find(pods, true);
    const node = nodeOf(pod, account.metadata.name, reader);
    return { ...base, pod: same(pod), node };
  }
  if (group === '' && kind === 'Secret') return { ...base, secret: same(find(secrets, true)) };
  if (group === '' && kind === 'Node') return { ...base, node: same(find(nodes, false)) };
  throw badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${kind}`);
}

function nodeOf(pod: DeepReadonly<Pod>, account: string, reader: ServerParts['reader']): DeepReadonly<KubeObject> | undefined {
  if (pod.spec.serviceAccountName !== account) {
    throw badRequest(`cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`);
  }
  if (!pod.spec.nodeName) return undefined;
  // A node that is not there (yet) is known by its name alone.
  return reader.find(nodes, { name: pod.spec.nodeName }) ?? ({ metadata: { name: pod.spec.nodeName } } as DeepReadonly<KubeObject>);
}
