// SPDX-License-Identifier: Apache-2.0
// Operations as the two versions of OpenAPI write them: by path and method, with the parameters that all operations of a path take said
// once for the path. @source kube-openapi pkg/builder, pkg/builder3
import type { BodyType, Operation } from './operations.ts';
import { describeParameter, typeOfParameter } from './parameters.ts';
import type { Json } from './schemas.ts';

/** The schema of a type: a reference, or plain text. */
export type ReferTo = (type: BodyType) => Json;

const STATUS_TEXTS: Readonly<Record<number, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' };
const UNAUTHORIZED = { 401: { description: 'Unauthorized' } };

interface Form {
  /** One parameter of the path or the query. */
  parameter(name: string, where: 'path' | 'query', kind: string): Json;
  /** @param parameters What its path does not say of it. */
  operation(operation: Operation, parameters: readonly Json[], refer: ReferTo): Json;
}

/** The paths of operations. */
export function pathsOf(operations: readonly Operation[], refer: ReferTo, version: 'v2' | 'v3'): Record<string, Json> {
  const form = version === 'v2' ? V2 : V3;
  const byPath = Map.groupBy(operations, ({ path }) => path);
  return Object.fromEntries([...byPath].map(([path, own]) => [path, pathItem(path, own, refer, form)]));
}

function pathItem(path: string, operations: readonly Operation[], refer: ReferTo, form: Form): Json {
  const [first] = operations;
  const kind = first?.gvk.kind ?? '';
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const isPlain = first?.action === 'connect';
  const common = (first?.parameters ?? []).filter(
    (name) => !inPath.includes(name) && operations.every(({ parameters }) => parameters.includes(name)),
  );
  const query = isPlain ? common : [...common, 'pretty'];
  const shared = [...inPath.map((name) => [name, 'path'] as const), ...query.map((name) => [name, 'query'] as const)].sort(byName);
  const methods = operations.map((operation) => {
    const own = operation.parameters.filter((name) => !common.includes(name));
    return [
      operation.method,
      form.operation(
        operation,
        own.map((name) => form.parameter(name, 'query', kind)),
        refer,
      ),
    ] as const;
  });
  const parameters = shared.map(([name, where]) => form.parameter(name, where, kind));
  return { ...Object.fromEntries(methods), ...(parameters.length === 0 ? {} : { parameters }) };
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]) => (a < b ? -1 : 1);

function described(name: string, kind: string): Json {
  const description = describeParameter(name, kind);
  return description === undefined ? {} : { description };
}

const extensions = ({ action, gvk: { group, version, kind } }: Operation): Json => ({
  'x-kubernetes-action': action,
  'x-kubernetes-group-version-kind': { group, version, kind },
});

const V3: Form = {
  parameter: (name, where, kind) => ({
    name,
    in: where,
    ...described(name, kind),
    ...(where === 'path' ? { required: true } : {}),
    schema: { type: typeOfParameter(name), uniqueItems: true },
  }),
  operation(operation, parameters, refer) {
    const { tag, id, description, body, responses, produces } = operation;
    const content = (type: BodyType, media: readonly string[]) => {
      const schema = refer(type);
      return Object.fromEntries([...media].sort().map((name) => [name, { schema }]));
    };
    const answers = responses.map(([code, type]) => [code, { description: STATUS_TEXTS[code], content: content(type, produces) }]);
    return {
      tags: [tag],
      description,
      operationId: id,
      ...(parameters.length === 0 ? {} : { parameters }),
      ...(body === undefined
        ? {}
        : { requestBody: { content: content(body.type, body.media), ...(body.required ? { required: true } : {}) } }),
      responses: { ...Object.fromEntries(answers), ...UNAUTHORIZED },
      ...extensions(operation),
    };
  },
};

const V2: Form = {
  parameter: (name, where, kind) => ({
    ...{ uniqueItems: true, type: typeOfParameter(name) },
    ...described(name, kind),
    ...{ name, in: where },
    ...(where === 'path' ? { required: true } : {}),
  }),
  operation(operation, parameters, refer) {
    const { tag, id, description, body, responses, produces } = operation;
    const sent =
      body === undefined ? [] : [{ name: 'body', in: 'body', ...(body.required ? { required: true } : {}), schema: refer(body.type) }];
    const answers = responses.map(([code, type]) => [code, { description: STATUS_TEXTS[code], schema: refer(type) }]);
    const all = [...sent, ...parameters];
    return {
      description,
      consumes: body === undefined ? ['*/*'] : body.media,
      produces,
      schemes: ['https'],
      tags: [tag],
      operationId: id,
      ...(all.length === 0 ? {} : { parameters: all }),
      responses: { ...Object.fromEntries(answers), ...UNAUTHORIZED },
      ...extensions(operation),
    };
  },
};
