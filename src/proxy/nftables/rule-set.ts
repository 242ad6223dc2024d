// SPDX-License-Identifier: Apache-2.0
// A table as data, and the nft commands that make the kernel's table equal to it: whole, or by difference from what it was. Pure.

export interface RuleSet {
  readonly family: 'ip' | 'ip6';
  readonly table: string;
  /** Chain to its hook line, '' for none. */
  readonly chains: ReadonlyMap<string, Chain>;
  /** Sets and maps with their declarations: `type ipv4_addr`. */
  readonly sets: ReadonlyMap<string, NamedSet>;
}

export interface Chain {
  /** `type nat hook prerouting priority -100`, or ''. */
  readonly hook: string;
  readonly rules: readonly string[];
}

export interface NamedSet {
  readonly kind: 'set' | 'map';
  readonly declaration: string;
  /** Key to verdict; '' in sets. Undefined: the kernel fills it. */
  readonly elements: ReadonlyMap<string, string> | undefined;
}

const BATCH = 500;
/** Chains. */
const ONE_TRANSACTION = 2000;
const TRANSACTION_LINES = 4000;

/**
 * Replaces the table, whatever was there. One transaction; a large table takes several, hooks last, since the kernel's effort grows
 * with the square of a transaction.
 */
export function replaceTable(wanted: RuleSet): string[] {
  const { family, table } = wanted;
  const nothing: RuleSet = { family, table, chains: new Map(), sets: new Map() };
  const first = `add table ${family} ${table}\ndelete table ${family} ${table}\nadd table ${family} ${table}\n`;
  if (wanted.chains.size <= ONE_TRANSACTION) return [first + updateTable(nothing, wanted)];
  const unhooked: RuleSet = { ...wanted, chains: new Map([...wanted.chains].filter(([, { hook }]) => hook === '')) };
  const lines = updateTable(nothing, unhooked).split('\n');
  const transactions = [first];
  for (let start = 0; start < lines.length; start += TRANSACTION_LINES)
    transactions.push(`${lines.slice(start, start + TRANSACTION_LINES).join('\n')}\n`);
  return [...transactions, updateTable(unhooked, wanted)];
}

export function deleteTable({ family, table }: Pick<RuleSet, 'family' | 'table'>): string {
  return `add table ${family} ${table}\ndelete table ${family} ${table}\n`;
}

/** A set cannot be declared anew in place (another affinity timeout): then the table must be replaced. */
export function redeclares(before: RuleSet, after: RuleSet): boolean {
  return [...after.sets].some(([name, { declaration }]) => (before.sets.get(name)?.declaration ?? declaration) !== declaration);
}

/** The commands from one state to the next, '' if they are equal. Order: what is pointed to exists before, and goes after. */
export function updateTable(before: RuleSet, after: RuleSet): string {
  const at = `${after.family} ${after.table}`;
  const lines: string[] = [];
  const newSets = [...after.sets].filter(([name]) => !before.sets.has(name));
  for (const [name, { kind, declaration }] of newSets) lines.push(`add ${kind} ${at} ${name} { ${declaration} ; }`);
  const changed = [...after.chains].filter(([name, chain]) => !sameRules(before.chains.get(name), chain));
  for (const [name, { hook }] of changed)
    if (!before.chains.has(name)) lines.push(`add chain ${at} ${name}${hook === '' ? '' : ` { ${hook} ; }`}`);
  for (const [name, { rules }] of changed) {
    if (before.chains.has(name)) lines.push(`flush chain ${at} ${name}`);
    for (const rule of rules) lines.push(`add rule ${at} ${name} ${rule}`);
  }
  for (const [name, set] of after.sets) lines.push(...elementCommands(at, name, before.sets.get(name), set));
  const goneChains = [...before.chains.keys()].filter((name) => !after.chains.has(name));
  for (const name of goneChains) lines.push(`flush chain ${at} ${name}`);
  for (const name of goneChains) lines.push(`delete chain ${at} ${name}`);
  for (const [name, { kind }] of before.sets) if (!after.sets.has(name)) lines.push(`delete ${kind} ${at} ${name}`);
  return lines.map((line) => `${line}\n`).join('');
}

function elementCommands(at: string, name: string, before: NamedSet | undefined, { elements }: NamedSet): string[] {
  if (elements === undefined) return [];
  const old = before?.elements ?? new Map<string, string>();
  const gone = [...old].filter(([key, value]) => elements.get(key) !== value).map(([key]) => key);
  const fresh = [...elements].filter(([key, value]) => old.get(key) !== value).map(([key, value]) => element(key, value));
  return [...batches('delete', at, name, gone), ...batches('add', at, name, fresh)];
}

function batches(verb: string, at: string, name: string, elements: readonly string[]): string[] {
  const commands: string[] = [];
  for (let start = 0; start < elements.length; start += BATCH)
    commands.push(`${verb} element ${at} ${name} { ${elements.slice(start, start + BATCH).join(', ')} }`);
  return commands;
}

function element(key: string, value: string): string {
  return value === '' ? key : `${key} : ${value}`;
}

function sameRules(a: Chain | undefined, b: Chain): boolean {
  if (a === b) return true;
  return a !== undefined && a.rules.length === b.rules.length && a.rules.every((rule, index) => rule === b.rules[index]);
}
