// SPDX-License-Identifier: Apache-2.0
// Names of signers, `example.com/path`, in CertificateSigningRequests and projected trust bundles: a domain of at least two parts,
// and a path of names. @source upstream pkg/apis/core/validation/names.go ValidateSignerName
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  type FieldCause,
  type FieldPath,
  invalidValue,
  quote,
  required,
  tooLong,
} from '../../machinery/mod.ts';

const LONGEST_DOMAIN = 253;
/** `domain/namespace.name`. */
const LONGEST = LONGEST_DOMAIN + 1 + 63 + 1 + 253;

export function signerNameCauses(name: string, path: FieldPath): FieldCause[] {
  if (name === '') return [required(path)];
  const parts = name.split('/');
  const [domain = '', tail = ''] = parts;
  if (parts.length !== 2)
    return [invalidValue(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")];
  const causes = Buffer.byteLength(domain) > LONGEST_DOMAIN ? [tooLong(path, LONGEST_DOMAIN)] : [];
  causes.push(...firstWrongCauses(domain, checkDns1123Label, path));
  if (!domain.includes('.')) causes.push(invalidValue(path, domain, 'should be a domain with at least two segments separated by dots'));
  causes.push(...firstWrongCauses(tail, checkDns1123Subdomain, path));
  if (Buffer.byteLength(name) > LONGEST) causes.push(tooLong(path, LONGEST));
  return causes;
}

/** What is wrong with the first wrong one of the dotted parts: the others' complaints would read the same. */
function firstWrongCauses(text: string, check: (label: string) => readonly string[], path: FieldPath): FieldCause[] {
  for (const label of text.split('.')) {
    const problems = check(label);
    if (problems.length > 0) return problems.map((problem) => invalidValue(path, text, `validating label ${quote(label)}: ${problem}`));
  }
  return [];
}
