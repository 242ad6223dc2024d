// SPDX-License-Identifier: Apache-2.0
// The Pod Security Standards by version: which checks each level has at 1.x, in upstream's order, which is that of the checks' ids,
// the baseline's first. Versions that are yet to come are judged as the newest one.
// @source upstream pod-security-admission policy/registry.go
import {
  allowPrivilegeEscalation,
  appArmorProfile,
  type Check,
  capabilitiesBaseline,
  capabilitiesRestricted,
  hostNamespaces,
  hostPathVolumes,
  hostPorts,
  hostProbes,
  privileged,
  procMount,
  procMountRestricted,
  restrictedVolumes,
  runAsNonRoot,
  runAsUser,
  type Subject,
  seccompBaseline,
  seccompRestricted,
  seLinuxOptions,
  sysctls,
  type Violation,
  windowsHostProcess,
} from './checks.ts';

interface VersionedCheck {
  readonly check: Check;
  /** The first version that has it, 1.x. @default 0 */
  readonly since?: number;
  /** Of the baseline level, what this one says better. */
  readonly instead?: Check;
}

const BASELINE: readonly VersionedCheck[] = [
  { check: appArmorProfile },
  { check: capabilitiesBaseline },
  { check: hostNamespaces },
  { check: hostPathVolumes },
  { check: hostPorts },
  { check: hostProbes, since: 34 },
  { check: privileged },
  { check: procMount },
  { check: seLinuxOptions },
  { check: seccompBaseline },
  { check: sysctls },
  { check: windowsHostProcess },
];
const RESTRICTED: readonly VersionedCheck[] = [
  { check: allowPrivilegeEscalation, since: 8 },
  { check: capabilitiesRestricted, since: 22, instead: capabilitiesBaseline },
  { check: procMountRestricted, since: 35, instead: procMount },
  { check: restrictedVolumes, instead: hostPathVolumes },
  { check: runAsNonRoot },
  { check: runAsUser, since: 23 },
  { check: seccompRestricted, since: 19, instead: seccompBaseline },
];
/** No check has changed since. */
const NEWEST = 36;

const isPartOf =
  (minor: number) =>
  ({ since = 0 }: VersionedCheck): boolean =>
    minor >= since;

function restrictedChecks(minor: number): Check[] {
  const own = RESTRICTED.filter(isPartOf(minor));
  const replaced = new Set(own.map(({ instead }) => instead));
  return [...BASELINE.filter(isPartOf(minor)).filter(({ check }) => !replaced.has(check)), ...own].map(({ check }) => check);
}

/** By minor version. */
const CHECKS: Readonly<Record<Exclude<Level, 'privileged'>, readonly (readonly Check[])[]>> = {
  baseline: Array.from({ length: NEWEST + 1 }, (_, minor) => BASELINE.filter(isPartOf(minor)).map(({ check }) => check)),
  restricted: Array.from({ length: NEWEST + 1 }, (_, minor) => restrictedChecks(minor)),
};

export type Level = 'privileged' | 'baseline' | 'restricted';

/**
 * What a Pod does that its level does not allow.
 *
 * @param minor Of the version to judge by, 1.`minor`. @default the newest
 */
export function violationsOf(level: Level, subject: Subject, minor = Infinity): Violation[] {
  if (level === 'privileged') return [];
  const checks = CHECKS[level][Math.min(minor, NEWEST)] ?? [];
  return checks.flatMap((check) => check(subject, minor) ?? []);
}

export const reasonsText = (found: readonly Violation[]): string => found.map(({ reason }) => reason).join(', ');
export const detailsText = (found: readonly Violation[]): string => found.map(({ reason, detail }) => `${reason} (${detail})`).join(', ');
