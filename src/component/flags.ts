// SPDX-License-Identifier: Apache-2.0
// Flags as upstream's components take them (pflag): `--name=value`, `--name value`, `--switch`. A flag of upstream's that is not
// implemented is refused by name where it changes behaviour, and warned about where it is harmless; a typing error is refused.
import upstream from './upstream-flags.json' with { type: 'json' };

export type FlagType = 'string' | 'int' | 'bool' | 'duration' | 'strings';

export interface FlagSpec {
  readonly type: FlagType;
  readonly default?: string;
  readonly help: string;
}

export type FlagSpecs = Readonly<Record<string, FlagSpec>>;

/** Thrown when the command line cannot be used as it is; the message is for the user. */
export class FlagError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FlagError';
  }
}

/** Flags that change nothing a client or another component can see. */
const HARMLESS = new Set([
  'v',
  'vmodule',
  'logging-format',
  'log-flush-frequency',
  'log-json-info-buffer-size',
  'log-json-split-stream',
  'log-text-info-buffer-size',
  'log-text-split-stream',
  'profiling',
  'contention-profiling',
  'goaway-chance',
  'http2-max-streams-per-connection',
  'kube-api-qps',
  'kube-api-burst',
  'kube-api-content-type',
  'watch-cache',
  'default-watch-cache-size',
  'watch-cache-sizes',
  'delete-collection-workers',
  'etcd-compaction-interval',
  'event-burst',
  'event-qps',
  'target-ram-mb',
  'concurrent-deployment-syncs',
  'concurrent-endpoint-syncs',
  'concurrent-gc-syncs',
  'concurrent-namespace-syncs',
  'concurrent-replicaset-syncs',
  'concurrent-service-endpoint-syncs',
  'concurrent-serviceaccount-token-syncs',
]);

export class Flags {
  readonly #values: ReadonlyMap<string, readonly string[]>;
  readonly #specs: FlagSpecs;
  /** Harmless flags of upstream's that were given and have no effect. */
  readonly ignored: readonly string[];

  constructor(values: ReadonlyMap<string, readonly string[]>, specs: FlagSpecs, ignored: readonly string[]) {
    this.#values = values;
    this.#specs = specs;
    this.ignored = ignored;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** '' where neither given nor defaulted. */
  string(name: string): string {
    return this.#values.get(name)?.at(-1) ?? this.#specs[name]?.default ?? '';
  }

  int(name: string): number {
    return Number(this.string(name) || '0');
  }

  bool(name: string): boolean {
    return this.string(name) === 'true';
  }

  /** Every flag with its value, given or by default; '' where there is neither. */
  all(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      Object.keys(this.#specs).map((name) => [name, this.#values.get(name)?.join(',') ?? this.#specs[name]?.default ?? '']),
    );
  }

  /** Milliseconds. */
  duration(name: string): number {
    return parseDuration(this.string(name) || '0s');
  }

  /** Comma-separated, and given several times. */
  strings(name: string): readonly string[] {
    const given = this.#values.get(name) ?? (this.#specs[name]?.default === undefined ? [] : [this.#specs[name].default]);
    return given.flatMap((value) => value.split(',')).filter((value) => value !== '');
  }
}

/** Parses a component's arguments. @throws {FlagError} */
export function parseFlags(component: string, args: readonly string[], specs: FlagSpecs): Flags {
  const values = new Map<string, string[]>();
  const ignored: string[] = [];
  const known = new Set((upstream as Record<string, string[]>)[component] ?? []);
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? '';
    const match = /^--?([^=]+)(?:=(.*))?$/s.exec(argument);
    if (match === null) throw new FlagError(`unknown argument ${JSON.stringify(argument)}: ${component} takes flags only`);
    const [, name = '', inline] = match;
    const spec = specs[name];
    let value = inline;
    if (value === undefined) {
      const next = args[index + 1];
      const isSwitch = spec?.type === 'bool' || next === undefined || next.startsWith('--');
      value = isSwitch ? 'true' : next;
      if (!isSwitch) index += 1;
    }
    if (spec === undefined) {
      if (HARMLESS.has(name)) ignored.push(name);
      else
        throw new FlagError(
          known.has(name) ? `flag --${name} is not implemented by sagong's ${component}: leave it out` : `unknown flag: --${name}`,
        );
      continue;
    }
    checkValue(name, value, spec.type);
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  return new Flags(values, specs, ignored);
}

function checkValue(name: string, value: string, type: FlagType): void {
  const refuse = (why: string) => new FlagError(`invalid argument ${JSON.stringify(value)} for "--${name}" flag: ${why}`);
  if (type === 'int' && !/^-?\d+$/.test(value)) throw refuse('want a whole number');
  if (type === 'bool' && value !== 'true' && value !== 'false') throw refuse('want true or false');
  if (type === 'duration' && !/^-?(\d+(\.\d+)?(ns|us|ms|s|m|h))+$|^0$/.test(value))
    throw refuse('want a duration such as 300ms, 1.5h or 2h45m');
}

const UNIT_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's duration text in milliseconds. @throws {FlagError} */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const sign = text.startsWith('-') ? -1 : 1;
  const parts = [...text.replace(/^-/, '').matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text.replace(/^-/, ''))
    throw new FlagError(`parse the duration ${JSON.stringify(text)}: want such as 300ms, 1.5h or 2h45m`);
  return sign * parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? 's'] ?? 0), 0);
}

/** The flags with their help, for `--help`. */
export function describeFlags(component: string, specs: FlagSpecs): string {
  const lines = Object.entries(specs).map(([name, { type, default: value, help }]) => {
    const shown = value === undefined || value === '' ? '' : ` (default ${value})`;
    return `      --${name} ${type}`.padEnd(48) + help + shown;
  });
  return `Usage:\n  sagong ${component} [flags]\n\nFlags:\n${lines.join('\n')}\n`;
}
