// SPDX-License-Identifier: Apache-2.0
// Validation of what only Windows has: group managed accounts, user names, host process containers.
// @source upstream pkg/apis/core/validation/validation.go validateWindowsSecurityContextOptions
import { checkDns1123Subdomain, type DeepReadonly, type FieldCause, type FieldPath, invalidValue } from '../../machinery/mod.ts';
import type { PodSpec, WindowsSecurityContextOptions } from '../generated/core/v1.ts';
import { isSet, problems } from './rules.ts';

const [LONGEST_SPEC_KIB, LONGEST_DOMAIN, LONGEST_USER] = [64, 256, 104];
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\x00-\x1f\x7f]/;
const NET_BIOS = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const DNS = /^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
const BLANK_USER = /^[. ]+$/;
const WRONG_USER = /["/\\:;|=,+*?<>@[\]]/;

export function windowsOptionsCauses(options: DeepReadonly<WindowsSecurityContextOptions> | undefined, path: FieldPath): FieldCause[] {
  if (!options) return [];
  const causes: FieldCause[] = [];
  const { gmsaCredentialSpecName: name, gmsaCredentialSpec: spec, runAsUserName: user } = options;
  if (isSet(name)) causes.push(...problems(checkDns1123Subdomain(name), path.child('gmsaCredentialSpecName'), name));
  if (spec === '') causes.push(invalidValue(path.child('gmsaCredentialSpec'), spec, 'gmsaCredentialSpec cannot be an empty string'));
  else if (isSet(spec) && Buffer.byteLength(spec) > LONGEST_SPEC_KIB * 1024)
    causes.push(invalidValue(path.child('gmsaCredentialSpec'), spec, `gmsaCredentialSpec size must be under ${LONGEST_SPEC_KIB} KiB`));
  if (isSet(user)) causes.push(...problems(userNameProblems(user), path.child('runAsUserName'), user));
  return causes;
}

/** `user` or `DOMAIN\user`. */
function userNameProblems(name: string): string[] {
  if (name === '') return ['runAsUserName cannot be an empty string'];
  if (CONTROL.test(name)) return ['runAsUserName cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const user = parts.at(-1) ?? '';
  const list = parts.length === 2 ? domainProblems(parts[0] ?? '') : [];
  if (user === '') list.push(`runAsUserName's User cannot be empty`);
  else if (Buffer.byteLength(user) > LONGEST_USER)
    list.push(`runAsUserName's User length must not be longer than ${LONGEST_USER} characters`);
  if (BLANK_USER.test(user)) list.push(`runAsUserName's User cannot contain only periods or spaces`);
  if (WRONG_USER.test(user)) list.push(`runAsUserName's User cannot contain the following characters: "/\\:;|=,+*?<>@[]`);
  return list;
}

function domainProblems(domain: string): string[] {
  const list: string[] = [];
  if (Buffer.byteLength(domain) >= LONGEST_DOMAIN) list.push(`runAsUserName's Domain length must be under ${LONGEST_DOMAIN} characters`);
  if (!NET_BIOS.test(domain) && !DNS.test(domain)) list.push(`runAsUserName's Domain doesn't match the NetBios nor the DNS format`);
  return list;
}

const CONTAINER_LISTS = ['initContainers', 'containers', 'ephemeralContainers'] as const;

/** Host process containers go together, and on the host's network. */
export function windowsHostProcessCauses(spec: DeepReadonly<PodSpec>, path: FieldPath): FieldCause[] {
  const ofPod = spec.securityContext?.windowsOptions?.hostProcess;
  const causes: FieldCause[] = [];
  let [count, hosts] = [0, 0];
  for (const list of CONTAINER_LISTS) {
    for (const [index, { securityContext }] of (spec[list] ?? []).entries()) {
      count += 1;
      const own = securityContext?.windowsOptions?.hostProcess;
      if (isSet(ofPod) && isSet(own) && own !== ofPod) {
        const at = path.child(list).index(index).child('securityContext', 'windowsOptions', 'hostProcess');
        causes.push(invalidValue(at, own, `pod hostProcess value must be identical if both are specified, was ${ofPod}`));
      }
      if (own ?? ofPod) hosts += 1;
    }
  }
  if (hosts === 0) return causes;
  if (hosts !== count) {
    const why = 'If pod contains any hostProcess containers then all containers must be HostProcess containers';
    causes.push(invalidValue(path, '', why));
  }
  if (spec.hostNetwork !== true)
    causes.push(invalidValue(path.child('hostNetwork'), false, 'hostNetwork must be true if pod contains any hostProcess containers'));
  return causes;
}
