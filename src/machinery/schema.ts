// SPDX-License-Identifier: Apache-2.0
// The one form of "what an object may look like". Two sources fill it: the generated facts of the built-in types, and the
// structural OpenAPI of custom resources. Decoding, pruning, defaulting, field validation, patching, server-side apply,
// protobuf and OpenAPI all walk it. Schemas are graphs (types refer to themselves), built once and never changed.

/** A type on the wire that has no fields of its own. */
export type ScalarKind =
  | 'string'
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'bytes' // base64 in JSON
  | 'any' // arbitrary JSON
  | 'quantity'
  | 'time'
  | 'microTime'
  | 'duration'
  | 'intOrString'
  | 'rawExtension' // an embedded object, kept as it came
  | 'fieldsV1';

export interface ScalarSchema {
  readonly kind: ScalarKind;
  /** The Go name of the type, for messages: `string`, `core.PodPhase`. */
  readonly name: string;
  readonly enum?: readonly string[];
  /** Set for custom resources: an applied configuration may have a scalar of any other kind. */
  readonly appliesScalars?: boolean;
}

export interface ListSchema {
  readonly kind: 'list';
  readonly element: Schema;
  /** How server-side apply sees it. @default atomic */
  readonly listType: 'atomic' | 'set' | 'map';
  /** The keys of a `map` list. */
  readonly keys: readonly string[];
  /** The Go name, where the type has one of its own. */
  readonly name?: string;
}

export interface MapSchema {
  readonly kind: 'map';
  readonly value: Schema;
  readonly mapType: 'granular' | 'atomic';
  /** The Go name, where the type has one of its own: `v1.ResourceList`. */
  readonly name?: string;
  /** The Go name of the key type. @default string */
  readonly keyName?: string;
}

export interface StructSchema {
  readonly kind: 'struct';
  /** The full Go-derived name, `io.k8s.api.core.v1.Pod`. */
  readonly name: string;
  /** In declaration order, which is the order of encoding; inlined structs are flattened here. */
  readonly fields: readonly Field[];
  readonly byName: ReadonlyMap<string, Field>;
  /** As protobuf has them, by number: an inlined struct is one message field. */
  readonly protoFields: readonly ProtoField[];
  /** `atomic` where server-side apply owns the whole struct at once. */
  readonly mapType: 'granular' | 'atomic';
  /** Set for custom resources: fields that are not listed are kept. */
  readonly preserveUnknown?: boolean;
  /** Set for custom resources: an applied configuration may name fields that are not listed, though they are not kept. */
  readonly appliesUnknown?: boolean;
  /**
   * Set for custom resources, which are no Go types: makes an object of a parsed value in place of `normalize`. Values of wrong
   * type are kept for validation to refuse; unknown fields are left out, and told of where `unknown` is given.
   */
  readonly coerce?: (value: unknown, unknown: string[] | undefined) => Record<string, unknown>;
}

export type Schema = ScalarSchema | ListSchema | MapSchema | StructSchema;

export interface Field {
  readonly name: string;
  /** Its element in a path of `fieldsV1`: `f:` and the name. Made once: made for every object it would have to be found out that it is the same. */
  readonly element: string;
  readonly schema: Schema;
  /** A Go pointer: absent and zero differ. */
  readonly pointer: boolean;
  /** What the encoder leaves out: `empty` also leaves out zero scalars and empty lists unless `pointer`; structs by value always stay. */
  readonly omit: 'never' | 'empty' | 'zero';
  readonly required: boolean;
  readonly patchStrategy: readonly string[];
  readonly patchMergeKey: string | undefined;
  readonly default: unknown;
}

export interface ProtoField {
  readonly number: number;
  /** `bytes` is every length-delimited type. */
  readonly wire: 'varint' | 'fixed64' | 'bytes';
  /** Absent for an inlined struct, whose fields are its parent's in JSON. */
  readonly name: string | undefined;
  readonly schema: Schema;
  readonly pointer: boolean;
}

/** The generator's output: type name to facts, as in `tools/api-model.json`. */
export type SchemaFacts = Readonly<Record<string, TypeFacts>>;
export interface TypeFacts {
  readonly fields?: readonly FieldFacts[];
  readonly alias?: string;
  readonly enum?: readonly string[];
  readonly mapType?: string;
  readonly gvk?: readonly { group: string; version: string; kind: string }[];
}
export interface FieldFacts {
  readonly name?: string;
  readonly type: string;
  readonly protoNumber?: number;
  readonly protoType?: string;
  readonly pointer?: boolean;
  readonly inline?: boolean;
  readonly omit?: string;
  readonly required?: boolean;
  readonly listType?: string;
  readonly listMapKeys?: readonly string[];
  readonly mapType?: string;
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  readonly default?: unknown;
  /** Other markers of the source: `default="TCP"`. */
  readonly marks?: readonly string[];
}

const SPECIAL: Readonly<Record<string, ScalarKind>> = {
  string: 'string',
  bool: 'boolean',
  int32: 'int32',
  int64: 'int64',
  float64: 'float64',
  byte: 'int32',
  bytes: 'bytes',
  any: 'any',
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'rawExtension',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'intOrString',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Duration': 'duration',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'fieldsV1',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'microTime',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'io.k8s.apimachinery.pkg.types.UID': 'string',
  'io.k8s.apimachinery.pkg.types.NodeName': 'string',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': 'any',
};

interface MutableStruct {
  kind: 'struct';
  name: string;
  fields: Field[];
  byName: Map<string, Field>;
  protoFields: ProtoField[];
  mapType: 'granular' | 'atomic';
}

/** Builds schemas from the generated facts, each type once, on first need: a process pays only for the kinds it touches. */
export class SchemaRegistry {
  readonly #facts: SchemaFacts;
  readonly #built = new Map<string, Schema>();

  constructor(facts: SchemaFacts) {
    this.#facts = facts;
  }

  /** The schema of a type by its full name. @throws {RangeError} If the facts have no such type. */
  get(name: string): Schema {
    const found = this.#built.get(name);
    if (found !== undefined) return found;
    const special = SPECIAL[name];
    if (special !== undefined) return this.#keep(name, { kind: special, name: shortTypeName(name) });
    const facts = this.#facts[name];
    if (facts === undefined) throw new RangeError(`get the schema of "${name}": no such type`);
    if (facts.alias !== undefined) return this.#keep(name, this.#alias(name, facts));
    return this.#struct(name, facts);
  }

  #keep(name: string, schema: Schema): Schema {
    this.#built.set(name, schema);
    return schema;
  }

  #alias(name: string, facts: TypeFacts): Schema {
    const target = this.#ofType(facts.alias ?? 'any', {});
    if (target.kind === 'list' || target.kind === 'map') return { ...target, name: shortTypeName(name) };
    if (target.kind === 'struct') return target;
    return { kind: target.kind, name: shortTypeName(name), ...(facts.enum === undefined ? {} : { enum: facts.enum }) };
  }

  #struct(name: string, facts: TypeFacts): StructSchema {
    const struct: MutableStruct = {
      kind: 'struct',
      name,
      fields: [],
      byName: new Map(),
      protoFields: [],
      mapType: facts.mapType === 'atomic' ? 'atomic' : 'granular',
    };
    this.#built.set(name, struct); // Before its fields: types refer to themselves.
    for (const field of facts.fields ?? []) this.#addField(struct, field);
    struct.protoFields.sort((a, b) => a.number - b.number);
    return struct;
  }

  #addField(struct: MutableStruct, facts: FieldFacts): void {
    const schema = this.#ofType(facts.type, facts);
    if (facts.protoNumber !== undefined) {
      struct.protoFields.push({
        number: facts.protoNumber,
        wire: facts.protoType === 'varint' ? 'varint' : facts.protoType === 'fixed64' ? 'fixed64' : 'bytes',
        name: facts.name,
        schema,
        pointer: facts.pointer ?? false,
      });
    }
    if (facts.name === undefined) {
      if (schema.kind === 'struct') for (const inner of schema.fields) addTo(struct, inner);
      return;
    }
    addTo(struct, {
      name: facts.name,
      element: `f:${facts.name}`,
      schema,
      pointer: facts.pointer ?? false,
      omit: facts.omit === undefined ? 'never' : facts.omit.includes('zero') ? 'zero' : 'empty',
      required: facts.required ?? false,
      patchStrategy: facts.patchStrategy?.split(',') ?? [],
      patchMergeKey: facts.patchMergeKey,
      default: facts.default ?? defaultOf(facts.marks),
    });
  }

  #ofType(type: string, facts: Partial<FieldFacts>): Schema {
    if (type.startsWith('[]')) {
      const listType = facts.listType === 'map' || facts.listType === 'set' ? facts.listType : 'atomic';
      return { kind: 'list', element: this.#ofType(type.slice(2), {}), listType, keys: facts.listMapKeys ?? [] };
    }
    if (type.startsWith('map[')) {
      const end = type.indexOf(']');
      const value = this.#ofType(type.slice(end + 1), {});
      const keyName = shortTypeName(type.slice(4, end));
      return { kind: 'map', value, keyName, mapType: facts.mapType === 'atomic' ? 'atomic' : 'granular' };
    }
    const schema = this.get(type);
    if (schema.kind === 'struct' && facts.mapType === 'atomic') return { ...schema, mapType: 'atomic' };
    return schema;
  }
}

function addTo(struct: MutableStruct, field: Field): void {
  struct.fields.push(field);
  struct.byName.set(field.name, field);
}

/** The default that a marker declares; those that refer to a constant are not known here. */
function defaultOf(marks: readonly string[] | undefined): unknown {
  const text = marks?.find((mark) => mark.startsWith('default='))?.slice('default='.length);
  if (text === undefined || text.startsWith('ref(')) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `v1.PodPhase` for `io.k8s.api.core.v1.PodPhase`: the last package and the type, as Go prints them. */
export function shortTypeName(name: string): string {
  const parts = name.split('.');
  if (parts.length < 3) return name;
  return `${parts.at(-2)}.${parts.at(-1)}`;
}
