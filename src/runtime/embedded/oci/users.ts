// SPDX-License-Identifier: Apache-2.0
// Which numeric user a container runs as: the Pod's, else the image's `User`, looked up in the image's passwd and group files. Pure.
import type { ContainerSecurity } from '../../runtime.ts';

export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string | undefined;
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** @throws {Error} In containerd's words, for a name the image does not know. */
export function resolveUser(
  wanted: ContainerSecurity['user'],
  imageUser: string,
  supplemental: readonly number[],
  files: { readonly passwd: string; readonly group: string },
): ProcessUser {
  const accounts = parsePasswd(files.passwd);
  const [name, group] = namesOf(wanted, imageUser);
  const account = findAccount(accounts, name);
  const uid = /^\d+$/.test(name) ? Number(name) : account?.uid;
  if (uid === undefined) throw new Error(`unable to find user ${name}: no matching entries in passwd file`);
  const gid = group === undefined ? (account?.gid ?? 0) : findGroup(files.group, group);
  const own = group === undefined && account !== undefined ? memberships(files.group, account.name) : [];
  const additionalGids = [...new Set([gid, ...own, ...supplemental])];
  return { uid, gid, additionalGids, home: account?.home };
}

function namesOf(wanted: ContainerSecurity['user'], imageUser: string): readonly [string, string | undefined] {
  if (wanted === undefined) {
    const [name, group] = imageUser.split(':');
    return [name || '0', group || undefined];
  }
  return 'uid' in wanted ? [String(wanted.uid), wanted.gid === undefined ? undefined : String(wanted.gid)] : [wanted.name, undefined];
}

function findAccount(accounts: readonly Account[], name: string): Account | undefined {
  return accounts.find((account) => account.name === name) ?? accounts.find((account) => String(account.uid) === name);
}

function findGroup(text: string, name: string): number {
  if (/^\d+$/.test(name)) return Number(name);
  const line = text.split('\n').find((each) => each.startsWith(`${name}:`));
  const gid = Number(line?.split(':')[2]);
  if (line === undefined || !Number.isInteger(gid)) throw new Error(`unable to find group ${name}: no matching entries in group file`);
  return gid;
}

function memberships(text: string, user: string): number[] {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => (fields[3] ?? '').split(',').includes(user))
    .map((fields) => Number(fields[2]))
    .filter(Number.isInteger);
}

function parsePasswd(text: string): Account[] {
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 6)
    .map(([name = '', , uid, gid, , home = '']) => ({ name, uid: Number(uid), gid: Number(gid), home }))
    .filter(({ uid, gid }) => Number.isInteger(uid) && Number.isInteger(gid));
}
