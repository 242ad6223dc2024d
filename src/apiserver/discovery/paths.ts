// SPDX-License-Identifier: Apache-2.0
// The paths that are no resources: version, metrics, the token issuer's documents. Health and debugging are in debug/.
// @source upstream apiserver pkg/server/routes
import type { Metrics } from '#component';
import { apiError } from '#machinery';
import type { ServiceAccountTokens } from '../auth/tokens.ts';
import { acceptedTypes, PRETTY_JSON, parseAccept } from '../encoding/negotiation.ts';
import { type ApiResult, objectResult, type RequestContext } from '../request/context.ts';

export interface PathsOptions {
  readonly metrics: Metrics;
  readonly tokens: ServiceAccountTokens;
  readonly version: object;
  /** Where `jwks_uri` points. */
  readonly jwksUri: string;
  /** All paths, for `/`. */
  readonly index: () => readonly string[];
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';
const METHOD_NOT_ALLOWED = 'the server does not allow this method on the requested resource';

/** The answer for a path, or undefined if it is none of these. */
export function answerPath(context: RequestContext, options: PathsOptions): ApiResult | Promise<ApiResult> | undefined {
  const path = context.info.path.length > 1 ? context.info.path.replace(/\/$/, '') : context.info.path;
  switch (path) {
    case '/':
      return { ...objectResult(200, { paths: options.index() }), output: PRETTY_JSON };
    case '/version':
      if (context.request.method !== 'GET' && context.request.method !== 'HEAD')
        throw apiError(405, 'MethodNotAllowed', METHOD_NOT_ALLOWED, {});
      return { ...objectResult(200, options.version), output: PRETTY_JSON };
    case '/metrics':
      return options.metrics.text().then((body) => ({ type: 'bytes', status: 200, contentType: METRICS_TYPE, body }));
    case '/openid/v1/jwks':
      return jwks(context, options);
    case '/.well-known/openid-configuration':
      return openIdConfiguration(options);
  }
  return undefined;
}

async function jwks(context: RequestContext, { tokens }: PathsOptions): Promise<ApiResult> {
  const accept = context.header('accept');
  const fits =
    accept === '' ||
    parseAccept(accept).some(({ name }) => name === 'application/jwk-set+json' || name === '*/*' || name === 'application/*');
  if (!fits)
    throw apiError(406, 'NotAcceptable', `only the following media types are accepted: ${acceptedTypes({ protobuf: false }).join(', ')}`);
  return {
    type: 'bytes',
    status: 200,
    contentType: 'application/jwk-set+json',
    body: JSON.stringify(await tokens.jwks()),
    headers: { 'cache-control': 'public, max-age=3600' },
  };
}

function openIdConfiguration({ tokens, jwksUri }: PathsOptions): ApiResult {
  const body = {
    issuer: tokens.issuer,
    jwks_uri: jwksUri,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: tokens.algorithms,
  };
  return {
    type: 'bytes',
    status: 200,
    contentType: 'application/json',
    body: JSON.stringify(body),
    headers: { 'cache-control': 'public, max-age=3600' },
  };
}
