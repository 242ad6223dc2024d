// SPDX-License-Identifier: Apache-2.0
// Turns tools/api-model.json (facts of the 1.36 API) into TypeScript interfaces, one file per group/version, the list of
// served resources, and the compact run-time schema. Run by `npm run generate`; its output is committed and never edited.
//
// Optionality follows what a decoded object looks like: a Go struct field that is not a pointer is always present.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface ModelField {
  name?: string;
  type: string;
  protoNumber?: number;
  protoType?: string;
  pointer?: boolean;
  inline?: boolean;
  omit?: string;
  required?: boolean;
  format?: string;
  listType?: string;
  listMapKeys?: string[];
  mapType?: string;
  patchStrategy?: string;
  patchMergeKey?: string;
  default?: unknown;
  marks?: string[];
}
interface ModelGvk {
  group: string;
  version: string;
  kind: string;
}
interface ModelType {
  fields?: ModelField[];
  alias?: string;
  enum?: string[];
  gvk?: ModelGvk[];
  mapType?: string;
}
interface ModelResource extends ModelGvk {
  name: string;
  singular: string;
  namespaced: boolean;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  storageVersionHash: string;
  subresources?: { name: string; kind: string; group?: string; version?: string; verbs: string[] }[];
}
interface Model {
  groups: { name: string; versions: string[]; preferred: string }[];
  resources: ModelResource[];
  types: Record<string, ModelType>;
}

const root = join(import.meta.dirname, '..');
const model: Model = JSON.parse(readFileSync(join(root, 'tools/api-model.json'), 'utf8'));

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
/** Types whose wire form is not the struct the model shows. */
const SCALARS: Record<string, string> = {
  string: 'string',
  bool: 'boolean',
  int32: 'number',
  int64: 'number',
  float64: 'number',
  byte: 'number',
  bytes: 'string',
  any: 'unknown',
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'string',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'unknown',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'number | string',
  [`${META}Duration`]: 'string',
  [`${META}FieldsV1`]: 'Record<string, unknown>',
  [`${META}MicroTime`]: 'string',
  [`${META}Time`]: 'string',
  'io.k8s.apimachinery.pkg.types.UID': 'string',
  'io.k8s.apimachinery.pkg.types.NodeName': 'string',
};
const MODULES: Record<string, string> = { meta: '../../../machinery/generated/meta-v1.ts' };
const SKIPPED_PREFIXES = ['io.k8s.apimachinery.pkg.runtime.', 'io.k8s.apimachinery.pkg.util.', 'io.k8s.apimachinery.pkg.api.resource.'];

interface Module {
  file: string;
  types: Map<string, string>; // type name -> source
  imports: Map<string, Set<string>>; // module key -> type names
}
const modules = new Map<string, Module>();

/** The module a type is emitted into: `meta`, or `<group>/<version>`. */
function moduleKey(name: string): string {
  if (name.startsWith(META)) return 'meta';
  const parts = name.split('.');
  return `${parts.at(-3)}/${parts.at(-2)}`;
}

function moduleFile(key: string): string {
  return key === 'meta' ? 'src/machinery/generated/meta-v1.ts' : `src/api/generated/${key}.ts`;
}

function moduleOf(name: string): Module {
  const key = moduleKey(name);
  let found = modules.get(key);
  if (found === undefined) {
    found = { file: moduleFile(key), types: new Map(), imports: new Map() };
    modules.set(key, found);
  }
  return found;
}

const shortName = (name: string) => name.slice(name.lastIndexOf('.') + 1);

/** Keeps a string-alias type open where clients may extend it: condition types and resource names are such. */
function isOpen(name: string): boolean {
  return /ConditionType$|ResourceName$|\.FinalizerName$|\.NamespacePhase$|StatusReason$|CauseType$|\.SecretType$|FSType$|AccessMode$/.test(
    name,
  );
}

function typeExpression(type: string, into: Module): string {
  if (type.startsWith('[]')) {
    const element = typeExpression(type.slice(2), into);
    return /[|&' ]/.test(element) ? `(${element})[]` : `${element}[]`;
  }
  if (type.startsWith('map[')) return `Record<string, ${typeExpression(type.slice(type.indexOf(']') + 1), into)}>`;
  const scalar = SCALARS[type];
  if (scalar !== undefined) return scalar;
  const target = model.types[type];
  if (target === undefined || SKIPPED_PREFIXES.some((prefix) => type.startsWith(prefix))) return 'unknown';
  const owner = moduleOf(type);
  if (owner !== into) {
    const key = moduleKey(type);
    const names = into.imports.get(key) ?? new Set();
    names.add(shortName(type));
    into.imports.set(key, names);
  }
  return shortName(type);
}

function isStruct(type: string): boolean {
  return SCALARS[type] === undefined && model.types[type]?.fields !== undefined;
}

function flatFields(type: ModelType): ModelField[] {
  return (type.fields ?? []).flatMap((field) =>
    field.inline && field.name === undefined ? flatFields(model.types[field.type] ?? {}) : [field],
  );
}

/** Absent fields after decoding: pointers and whatever the encoder omits, unless it is a struct by value. */
function isOptional(field: ModelField): boolean {
  if (field.required && !isStruct(field.type)) return false;
  if (field.pointer) return true;
  if (field.omit === undefined) return false;
  return field.omit.includes('zero') || !isStruct(field.type);
}

function emitType(name: string, type: ModelType): void {
  const into = moduleOf(name);
  const short = shortName(name);
  if (type.alias !== undefined) {
    const closed = type.alias === 'string' && type.enum !== undefined && !isOpen(name);
    const body = closed ? (type.enum ?? []).map((value) => `'${value}'`).join(' | ') : typeExpression(type.alias, into);
    into.types.set(short, `export type ${short} = ${body};`);
    return;
  }
  const identity = type.gvk?.[0];
  const lines = flatFields(type)
    .filter((field) => field.name !== undefined)
    .map((field) => {
      let expression = typeExpression(field.type, into);
      let optional = isOptional(field);
      if (name === `${META}ObjectMeta` && ['name', 'uid', 'resourceVersion', 'creationTimestamp'].includes(field.name ?? ''))
        optional = false;
      if (identity !== undefined && field.name === 'kind') expression = `'${identity.kind}'`;
      if (identity !== undefined && field.name === 'apiVersion') {
        expression = `'${identity.group === '' ? '' : `${identity.group}/`}${identity.version}'`;
      }
      if (identity !== undefined && (field.name === 'kind' || field.name === 'apiVersion') && type.gvk?.length === 1) optional = false;
      return `  ${/^[a-zA-Z_$][\w$]*$/.test(field.name ?? '') ? field.name : `'${field.name}'`}${optional ? '?' : ''}: ${expression};`;
    });
  into.types.set(short, `export interface ${short} {\n${lines.join('\n')}\n}`);
}

function write(file: string, text: string): void {
  const path = join(root, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function headerOf(what: string): string {
  return `// SPDX-License-Identifier: Apache-2.0\n// ${what} Generated by tools/generate-api.ts from tools/api-model.json; do not edit.\n`;
}

function emitModules(): void {
  for (const [key, module] of modules) {
    const imports = [...module.imports].map(([target, names]) => {
      const from = MODULES[target] ?? `../${target}.ts`;
      return `import type { ${[...names].sort().join(', ')} } from '${from}';`;
    });
    const types = [...module.types].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, source]) => source);
    const title = key === 'meta' ? 'Types of meta/v1.' : `Types of ${key}.`;
    write(module.file, `${headerOf(title)}${imports.join('\n')}\n\n${types.join('\n\n')}\n`);
  }
}

/** The name a resource's constant has: `pods`; the second of two equal names gets its group or version in front. */
function resourceConstants(): Map<ModelResource, string> {
  const names = new Map<ModelResource, string>();
  const taken = new Set<string>();
  for (const resource of model.resources) {
    let name = resource.name;
    if (taken.has(name)) {
      const sameGroup = model.resources.find((other) => other.name === resource.name)?.group === resource.group;
      const prefix = sameGroup ? resource.version : (resource.group.split('.')[0] ?? '');
      name = `${prefix}${name[0]?.toUpperCase()}${name.slice(1)}`;
    }
    taken.add(name);
    names.set(resource, name);
  }
  return names;
}

function typeOfKind(gvk: ModelGvk): string {
  const found = Object.entries(model.types).find(([, type]) =>
    type.gvk?.some((entry) => entry.group === gvk.group && entry.version === gvk.version && entry.kind === gvk.kind),
  );
  if (found === undefined) throw new Error(`find the type of ${gvk.group}/${gvk.version} ${gvk.kind}: the model has none`);
  return found[0];
}

function emitResources(): void {
  const imports = new Map<string, string>();
  const constants: string[] = [];
  const names = resourceConstants();
  for (const resource of model.resources) {
    const typeName = typeOfKind(resource);
    const key = moduleKey(typeName);
    const alias = key.replace(/\W(\w)/g, (_, letter: string) => letter.toUpperCase());
    imports.set(alias, key);
    const value = {
      group: resource.group,
      version: resource.version,
      resource: resource.name,
      singular: resource.singular,
      kind: resource.kind,
      namespaced: resource.namespaced,
      verbs: resource.verbs,
      shortNames: resource.shortNames ?? [],
      categories: resource.categories ?? [],
      storageVersionHash: resource.storageVersionHash,
      subresources: resource.subresources ?? [],
    };
    constants.push(`export const ${names.get(resource)}: Resource<${alias}.${shortName(typeName)}> = ${JSON.stringify(value)};`);
  }
  const importLines = [...imports].map(([alias, key]) => `import type * as ${alias} from './${key}.ts';`);
  const all = [...names.values()].join(', ');
  write(
    'src/api/generated/resources.ts',
    `${headerOf('Every resource that a 1.36 API server serves, in discovery order.')}import type { Resource } from '#machinery';\n${importLines.join('\n')}\n\n${constants.join('\n\n')}\n\n/** All of them, in discovery order. */\nexport const RESOURCES: readonly Resource[] = [${all}];\n\n/** Groups in discovery order, each with its versions, preferred first. */\nexport const GROUPS: readonly { name: string; versions: readonly string[]; preferred: string }[] = ${JSON.stringify(model.groups)};\n`,
  );
}

/** One line per type, so that a change of the model is a readable difference. */
function emitSchema(): void {
  const lines = Object.entries(model.types).map(([name, type]) => `${JSON.stringify(name)}:${JSON.stringify(type)}`);
  write('src/api/generated/schema.json', `{\n${lines.join(',\n')}\n}\n`);
}

rmSync(join(root, 'src/api/generated'), { recursive: true, force: true });
for (const [name, type] of Object.entries(model.types)) {
  if (SCALARS[name] !== undefined || SKIPPED_PREFIXES.some((prefix) => name.startsWith(prefix))) continue;
  emitType(name, type);
}
emitModules();
emitResources();
emitSchema();
