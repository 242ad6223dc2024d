// SPDX-License-Identifier: Apache-2.0
// The Pod Security policy that a namespace's labels name: a level and a version for each of three modes. A policy is always given,
// also for labels that say nothing or nonsense: what cannot be read enforces `restricted`, and neither audits nor warns.
// @source upstream pod-security-admission api/helpers.go
import { type FieldCause, field, invalidValue } from '#machinery';
import type { Level } from './standards.ts';

export const PREFIX = 'pod-security.kubernetes.io/';
export const MODES = ['enforce', 'audit', 'warn'] as const;
export const LEVELS = ['privileged', 'baseline', 'restricted'] as const;
export type Mode = (typeof MODES)[number];
export type Labels = Readonly<Record<string, string>>;

export interface LevelVersion {
  readonly level: Level;
  /** `latest`, or `v1.30`. */
  readonly version: string;
  /** 30 of `v1.30`; infinite for `latest`. */
  readonly minor: number;
  /** `baseline:latest` */
  readonly text: string;
}

export type Policy = Readonly<Record<Mode, LevelVersion>>;

/** More is stricter. */
export const strictness = (level: Level): number => LEVELS.indexOf(level);
export const isPrivileged = (policy: Policy, modes: readonly Mode[] = MODES): boolean =>
  modes.every((mode) => policy[mode].level === 'privileged');

const isLevel = (text: string): text is Level => (LEVELS as readonly string[]).includes(text);
const isVersion = (text: string): boolean => text === 'latest' || /^v1\.(0|[1-9]\d*)$/.test(text);

function levelVersion(level: Level, version: string): LevelVersion {
  const known = isVersion(version) ? version : 'latest';
  return { level, version: known, minor: known === 'latest' ? Infinity : Number(known.slice(3)), text: `${level}:${known}` };
}

/** What labels can say wrong. */
export function labelCauses(labels: Labels | undefined): FieldCause[] {
  const path = field('metadata', 'labels');
  return MODES.flatMap((mode) => {
    const causes: FieldCause[] = [];
    const [level, version] = [labels?.[`${PREFIX}${mode}`], labels?.[`${PREFIX}${mode}-version`]];
    if (level !== undefined && !isLevel(level)) {
      causes.push(invalidValue(path.key(`${PREFIX}${mode}`), level, `must be one of ${LEVELS.join(', ')}`));
    }
    if (version !== undefined && !isVersion(version)) {
      causes.push(invalidValue(path.key(`${PREFIX}${mode}-version`), version, 'must be "latest" or "v1.x"'));
    }
    return causes;
  });
}

/** The policy of namespaces without labels. @throws {RangeError} If a level or a version is none. */
export function defaultPolicy(defaults: Readonly<Record<string, string>>): Policy {
  const of = (mode: Mode) => {
    const { [mode]: level = 'privileged', [`${mode}-version`]: version = 'latest' } = defaults;
    if (!isLevel(level))
      throw new RangeError(`configure PodSecurity: defaults.${mode}: Invalid value: "${level}": must be one of ${LEVELS.join(', ')}`);
    if (!isVersion(version))
      throw new RangeError(`configure PodSecurity: defaults.${mode}-version: Invalid value: "${version}": must be "latest" or "v1.x"`);
    return levelVersion(level, version);
  };
  return { enforce: of('enforce'), audit: of('audit'), warn: of('warn') };
}

/** Who says what is enforced and not what is warned about is warned about the same, where that is stricter. */
export function policyOf(labels: Labels | undefined, defaults: Policy): Policy {
  if (labels === undefined || !Object.keys(labels).some((key) => key.startsWith(PREFIX))) return defaults;
  const of = (mode: Mode) => {
    const level = labels[`${PREFIX}${mode}`] ?? defaults[mode].level;
    const readable = isLevel(level) ? level : mode === 'enforce' ? 'restricted' : 'privileged';
    return levelVersion(readable, labels[`${PREFIX}${mode}-version`] ?? defaults[mode].version);
  };
  const [enforce, audit, warn] = [of('enforce'), of('audit'), of('warn')];
  const isFollowing =
    labels[`${PREFIX}enforce`] !== undefined && labels[`${PREFIX}warn`] === undefined && strictness(enforce.level) > strictness(warn.level);
  if (!isFollowing) return { enforce, audit, warn };
  const version = labels[`${PREFIX}warn-version`] === undefined ? enforce.version : warn.version;
  return { enforce, audit, warn: levelVersion(enforce.level, version) };
}
