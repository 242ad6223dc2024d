// SPDX-License-Identifier: Apache-2.0
// What can be wrong with the conversion of a definition: its strategy, and where its webhook is.
// @source upstream apiextensions validation.go validateCustomResourceConversion, apiserver pkg/util/webhook/validation.go
import { X509Certificate } from 'node:crypto';
import { webhookServiceCauses, webhookUrlCauses } from '#api';
import type { CustomResourceConversion } from '#api/apiextensions/v1';
import { checkDns1035Label, type DeepReadonly, type FieldCause, FieldPath, invalidValue, notSupported, required } from '#machinery';

type Conversion = DeepReadonly<CustomResourceConversion>;
type Webhook = NonNullable<Conversion['webhook']>;
type ClientConfig = NonNullable<Webhook['clientConfig']>;

export interface ConversionOptions {
  /** A review version that the server knows must be named. */
  readonly requireKnownReview: boolean;
  readonly allowInvalidCaBundle: boolean;
}

const STRATEGIES = ['None', 'Webhook'];

export function conversionCauses(conversion: Conversion | undefined, path: FieldPath, options: ConversionOptions): FieldCause[] {
  if (conversion === undefined) return [];
  const { strategy, webhook } = conversion;
  const at = path.child('strategy');
  const causes = !strategy ? [required(at)] : STRATEGIES.includes(strategy) ? [] : [notSupported(at, strategy, STRATEGIES)];
  const client = path.child('webhookClientConfig');
  const reviews = path.child('conversionReviewVersions');
  if (strategy === 'Webhook') {
    causes.push(...clientCauses(webhook?.clientConfig, client, options));
    causes.push(...reviewCauses(webhook?.conversionReviewVersions ?? [], reviews, options));
    return causes;
  }
  const why = 'should not be set when strategy is not set to Webhook';
  if (webhook?.clientConfig !== undefined)
    causes.push({ reason: 'FieldValueForbidden', field: String(client), message: `Forbidden: ${why}` });
  if ((webhook?.conversionReviewVersions ?? []).length > 0)
    causes.push({ reason: 'FieldValueForbidden', field: String(reviews), message: `Forbidden: ${why}` });
  return causes;
}

function clientCauses(config: ClientConfig | undefined, path: FieldPath, { allowInvalidCaBundle }: ConversionOptions): FieldCause[] {
  if (config === undefined) return [required(path, 'required when strategy is set to Webhook')];
  const { url, service, caBundle } = config;
  const causes: FieldCause[] = [];
  if ((url === undefined) === (service === undefined)) causes.push(required(path, 'exactly one of url or service is required'));
  else if (url !== undefined) causes.push(...webhookUrlCauses(url, path.child('url')));
  else if (service !== undefined) causes.push(...webhookServiceCauses(service, path.child('service')));
  if (caBundle && !allowInvalidCaBundle) causes.push(...bundleCauses(caBundle, path.child('caBundle')));
  return causes;
}

function bundleCauses(bundle: string, path: FieldPath): FieldCause[] {
  const problem = bundleProblem(Buffer.from(bundle, 'base64').toString('latin1'));
  return problem === undefined ? [] : [invalidValue(path, bundle, `unable to load root certificates: ${problem}`)];
}

/** A block: its label, and the lines between. @source RFC 7468, as Go's pem.Decode reads it */
const PEM_BLOCK = /^-----BEGIN ([^\n]*)-----[ \t\r]*\n([\s\S]*?)^-----END \1-----[ \t\r]*(?:\n|(?![\s\S]))/m;

/** One certificate that can be read is enough; where there is none, the first thing that is wrong. @source client-go transport.go */
function bundleProblem(bundle: string): string | undefined {
  let problem: string | undefined;
  for (let rest = bundle; rest !== ''; ) {
    const found = PEM_BLOCK.exec(rest);
    if (found === null) return problem ?? 'unable to parse bytes as PEM block';
    const [block, label, body = ''] = found;
    rest = rest.slice(found.index + block.length);
    // Blocks with headers, and others, are passed over.
    if (label !== 'CERTIFICATE' || body.includes(':')) continue;
    if (isCertificate(block)) return undefined;
    problem ??= 'failed to parse certificate: x509: malformed certificate';
  }
  return problem ?? 'no valid certificate authority data seen';
}

function isCertificate(block: string): boolean {
  try {
    new X509Certificate(block);
    return true;
  } catch {
    return false;
  }
}

/** Whether a bundle that cannot be read is there already: it may stay. */
export function hasInvalidBundle(conversion: Conversion | undefined): boolean {
  const bundle = conversion?.webhook?.clientConfig?.caBundle;
  return Boolean(bundle) && bundleCauses(bundle ?? '', new FieldPath('caBundle')).length > 0;
}

function reviewCauses(versions: readonly string[], path: FieldPath, { requireKnownReview }: ConversionOptions): FieldCause[] {
  if (versions.length === 0) return [required(path)];
  const causes = versions.flatMap((version, index) => {
    if (versions.indexOf(version) !== index) return [invalidValue(path.index(index), version, 'duplicate version')];
    return checkDns1035Label(version).map((problem) => invalidValue(path.index(index), version, problem));
  });
  const known = versions.some((version) => version === 'v1' || version === 'v1beta1');
  if (requireKnownReview && !known) causes.push(invalidValue(path, versions, 'must include at least one of v1, v1beta1'));
  return causes;
}
