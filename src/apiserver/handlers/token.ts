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
  type FieldCause,
  invalid,
  type KubeObject,
  notFound,
  type Resource,
  type StructSchema,
} from '#machinery';
import type { ServiceAccountTokens, TokenSubject } from '../auth/tokens.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { MutableObject } from '../registry/strategy.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';
import { readAs } from './body.ts';
import type { ServerParts } from './endpoint.ts';
import { bookUpdate } from './field-ownership.ts';
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
  const request = (await readAs(context, TOKEN_REQUEST, KIND)) as unknown as TokenRequest;
  await parts.cacher.fresh();
  const account = served.store.get(namespace, name).object;
  request.spec.expirationSeconds ??= HOUR_SECONDS;
  check(request, name, namespace);
  const write = writeContextOf(context, served, 'CreateOptions');
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
  const asked = request.spec.expirationSeconds;
  const extended = asked === WARN_AFTER_SECONDS && subject.pod !== undefined;
  const audiences = (request.spec.audiences?.length ?? 0) > 0 ? (request.spec.audiences ?? []) : tokens.audiences;
  const issued = await tokens.issue(subject, {
    audiences,
    expirationSeconds: extended ? YEAR_SECONDS : asked,
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
  return objectResult(201, answer);
}

function check({ metadata, spec }: TokenRequest, name: string, namespace: string): void {
  const seconds = spec.expirationSeconds ?? HOUR_SECONDS;
  const causes: FieldCause[] = [];
  const add = (field: string, value: unknown, why: string) =>
    causes.push({ reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` });
  if (metadata.name && metadata.name !== name) {
    add('metadata.name', metadata.name, 'must match the service account name if specified');
    throw invalid(KIND, name, causes);
  }
  if (metadata.namespace && metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  if (seconds < MIN_SECONDS) add('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes');
  if (seconds > MAX_SECONDS) add('spec.expirationSeconds', seconds, 'may not specify a duration larger than 2^32 seconds');
  if (causes.length > 0) throw invalid(KIND, '', causes);
}

function subjectOf({ spec }: TokenRequest, account: DeepReadonly<MutableObject>, namespace: string, { reader }: ServerParts): TokenSubject {
  const reference = spec.boundObjectRef;
  const base = { namespace, account: account as DeepReadonly<KubeObject> };
  if (reference === undefined || reference === null) return base;
  const { kind = '', apiVersion = '', name = '', uid = '' } = reference;
  const find = <T extends KubeObject>(resource: Resource<T>, scoped: boolean): DeepReadonly<T> => {
    const found = reader.find(resource, scoped ? { namespace, name } : { name });
    if (found === undefined) throw notFound(resource, name);
    if (uid !== '' && uid !== found.metadata.uid) {
      const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
      throw conflict({ group: '', resource: kind }, name, why);
    }
    return found;
  };
  if (apiVersion === 'v1' && kind === 'Pod') {
    const pod = find(pods, true);
    return { ...base, pod, node: nodeOf(pod, account.metadata.name, reader) };
  }
  if (apiVersion === 'v1' && kind === 'Secret') return { ...base, secret: find(secrets, true) };
  if (apiVersion === 'v1' && kind === 'Node') return { ...base, node: find(nodes, false) };
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
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
