// SPDX-License-Identifier: Apache-2.0
// Plays recorded creates through decoding, defaults, strategies and admission without a server, and compares what comes out:
// bodies of accepted objects, causes of refused ones. `node tools/replay-strategies.ts [--verbose] [TEXT...]` plays the
// scenarios whose name contains a TEXT. Needs the recordings of test/golden or those beside the repository; says so if absent.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the placeholders of recordings look so
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromStorage, namespaces, RESOURCES, serviceaccounts, toStorage } from '#api';
import { ApiError, decodeJson, deepCopy, type FieldCause, invalid, type KubeObject, type Resource } from '#machinery';
import type { AdmissionDeps } from '../src/apiserver/admission/admission.ts';
import { createAdmissionChain } from '../src/apiserver/admission/chain.ts';
import { createStrategies } from '../src/apiserver/registry/strategies.ts';
import type { MutableObject, ObjectReader, RequestScope } from '../src/apiserver/registry/strategy.ts';

interface Step {
  id: string;
  request?: { method?: string; path: string; body?: unknown; query?: Record<string, string>; as?: { user: string; groups?: string[] } };
}
interface Answer {
  id: string;
  status: number;
  warnings?: string[];
  body?: KubeObject & { message?: string; details?: { causes?: FieldCause[] } };
}

const ROOTS = ['../test/golden', '../../shared/golden'].map((path) => join(import.meta.dirname, path));
const NOW = Date.UTC(2026, 0, 1);

class FakeReader implements ObjectReader {
  readonly #objects = new Map<string, KubeObject>();

  #key(resource: Resource, namespace: string, name: string): string {
    return `${resource.group}/${resource.resource}/${namespace}/${name}`;
  }
  put(resource: Resource, object: KubeObject): void {
    this.#objects.set(this.#key(resource, object.metadata.namespace ?? '', object.metadata.name ?? ''), object);
  }
  remove(resource: Resource, namespace: string, name: string): void {
    this.#objects.delete(this.#key(resource, namespace, name));
  }
  find(resource: Resource<never>, ref: { namespace?: string | undefined; name: string }): never {
    return this.#objects.get(this.#key(resource, ref.namespace ?? '', ref.name)) as never;
  }
  list(resource: Resource<never>, namespace?: string): never {
    const prefix = `${resource.group}/${resource.resource}/${namespace === undefined ? '' : `${namespace}/`}`;
    return [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => object) as never;
  }
}

/** Empty and absent are one, and what only the store fills is left out. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, item]) => {
    const inner = plain(item);
    const empty = inner === undefined || inner === null || inner === '' || inner === 0 || inner === false;
    const hollow = typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0;
    return empty || hollow ? [] : [[key, inner]];
  });
  return Object.fromEntries(entries);
}

function normal(object: unknown): unknown {
  const copy = plain(object) as { metadata?: Record<string, unknown>; spec?: Record<string, unknown> };
  for (const name of ['uid', 'resourceVersion', 'creationTimestamp', 'managedFields']) delete copy.metadata?.[name];
  const text = JSON.stringify(copy)
    .replace(/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-${rand}')
    .replace(/"nodePort":\d+/g, '"nodePort":"${port}"')
    .replace(/20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '${time}');
  return JSON.parse(text.replaceAll('11111111-1111-1111-1111-111111111111', '${uid}'));
}

function differences(mine: unknown, theirs: unknown, path = ''): string[] {
  if (JSON.stringify(mine) === JSON.stringify(theirs) || theirs === '${ip}' || theirs === '${pem}') return [];
  const both = [mine, theirs].every((it) => typeof it === 'object' && it !== null);
  if (!both || Array.isArray(mine) !== Array.isArray(theirs))
    return [`${path}: mine ${JSON.stringify(mine)} theirs ${JSON.stringify(theirs)}`];
  const keys = new Set([...Object.keys(mine as object), ...Object.keys(theirs as object)]);
  return [...keys].flatMap((key) =>
    differences((mine as Record<string, unknown>)[key], (theirs as Record<string, unknown>)[key], `${path}/${key}`),
  );
}

function resourceOf(path: string): { resource: Resource; namespace: string } | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  const group = parts[0] === 'api' ? '' : (parts[1] ?? '');
  const version = parts[0] === 'api' ? parts[1] : parts[2];
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const namespace = rest[0] === 'namespaces' && rest.length > 2 ? (rest[1] ?? '') : '';
  const [name, ...more] = namespace === '' ? rest : rest.slice(2);
  if (more.length > 0) return undefined;
  const resource = RESOURCES.find((it) => it.group === group && it.version === version && it.resource === name && it.verbs.includes('get'));
  return resource === undefined ? undefined : { resource, namespace };
}

const options = process.argv.slice(2);
const verbose = options.includes('--verbose');
const wanted = options.filter((text) => !text.startsWith('--'));

/** The placeholders of recordings, as names that are legal. */
const named = (text: string) => text.replaceAll('${ns}', 'some-namespace').replaceAll('${uniq}', 'uniq');

async function play(root: string, name: string, counts: { passed: number; failed: number }): Promise<void> {
  const read = (folder: string) => JSON.parse(named(readFileSync(join(root, folder, `${name}.json`), 'utf8')));
  const { steps } = read('scenarios') as { steps: Step[] };
  const answers = new Map((read('recordings') as { steps: Answer[] }).steps.map((answer) => [answer.id, answer]));
  const reader = new FakeReader();
  const meta = (object: object) => object as unknown as KubeObject;
  reader.put(namespaces, meta({ metadata: { name: 'some-namespace' }, status: { phase: 'Active' } }));
  reader.put(serviceaccounts, meta({ metadata: { namespace: 'some-namespace', name: 'default' } }));
  const strategies = createStrategies({
    serviceClusterIpRange: '10.96.0.0/16',
    serviceNodePortRange: '30000-32767',
    reader,
    addresses: { create: async () => {}, remove: async () => {} },
    pick: (below) => below - 1,
  });
  const chain = createAdmissionChain({ enabled: ['NodeRestriction'], disabled: [] });
  for (const step of steps) {
    const answer = answers.get(step.id);
    const target = step.request === undefined ? undefined : resourceOf(step.request.path);
    if (target === undefined || answer === undefined || step.request?.method !== 'POST' || step.request.body === undefined) continue;
    if (![201, 403, 422].includes(answer.status)) continue;
    const strategy = strategies.strategyOf(target.resource);
    const user = {
      name: step.request.as?.user ?? 'golden',
      uid: '',
      groups: [...(step.request.as?.groups ?? ['system:masters']), 'system:authenticated'],
      extra: {},
    };
    const warnings: string[] = [];
    let problems: string[] = [];
    try {
      const decoded = decodeJson(JSON.stringify(step.request.body), strategy.schema, { strict: false });
      const own = decoded.object as unknown as MutableObject;
      own.apiVersion = target.resource.group === '' ? target.resource.version : `${target.resource.group}/${target.resource.version}`;
      own.kind = target.resource.kind;
      own.metadata ??= {} as never;
      if (target.resource.namespaced && !own.metadata.namespace) own.metadata.namespace = target.namespace;
      if (own.metadata.generateName && !own.metadata.name) own.metadata.name = `${own.metadata.generateName}abcde`;
      own.metadata.uid = '11111111-1111-1111-1111-111111111111';
      strategy.applyDefaults(own);
      const object = toStorage(target.resource, own) as MutableObject;
      const scope: RequestScope = {
        user,
        namespace: target.namespace,
        resource: target.resource,
        dryRun: false,
        now: NOW,
        reader,
        warn: (text) => warnings.push(text),
      };
      const request = {
        operation: 'CREATE' as const,
        resource: target.resource,
        subresource: '',
        namespace: target.namespace,
        name: own.metadata.name ?? '',
        object,
        oldObject: undefined,
        dryRun: false,
        user,
        warn: (text: string) => warnings.push(text),
      };
      const deps: AdmissionDeps = {
        reader,
        create: async () => {},
        update: async () => {},
        now: () => NOW,
        authorize: async () => true,
        enabled: [],
        disabled: [],
      };
      await chain.runMutating(request, deps);
      strategy.prepareForCreate(object, scope);
      const causes = strategy.validate(object, scope);
      const kind = { group: target.resource.group === 'events.k8s.io' ? '' : target.resource.group, kind: target.resource.kind };
      if (causes.length > 0) throw invalid(kind, object.metadata.name ?? '', causes);
      await chain.runValidating(request, deps);
      await strategy.allocate?.(object, undefined, scope);
      warnings.push(...(strategy.warnings?.(object, undefined) ?? []));
      if (answer.status !== 201) problems = [`accepted; theirs ${answer.status} ${answer.body?.message ?? ''}`];
      else {
        const theirs = answer.body as unknown as Record<string, unknown> | undefined;
        reader.put(target.resource, deepCopy(object) as KubeObject);
        if (theirs !== undefined && theirs['metadata'] !== undefined)
          problems = differences(normal(fromStorage(target.resource, object)), normal(theirs));
        const said = differences(warnings, answer.warnings ?? [], 'warnings');
        problems.push(...said);
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const causes = (list: readonly FieldCause[] | undefined) =>
        (list ?? []).map(({ field, message }) => `${field}: ${message}`.replaceAll('11111111-1111-1111-1111-111111111111', '${uid}'));
      if (error.code !== answer.status) problems = [`refused: ${error.message}; theirs ${answer.status} ${answer.body?.message ?? ''}`];
      else {
        const [mine, theirs] = [causes(error.status.details?.causes as never), causes(answer.body?.details?.causes)];
        const masked = theirs.map((text, index) => (text.includes('${struct}') ? (mine[index] ?? text) : text));
        problems = differences(mine, masked);
        if (theirs.length === 0 && answer.body?.message !== undefined) problems = differences(error.message, answer.body.message);
      }
    }
    if (problems.length === 0) counts.passed += 1;
    else {
      counts.failed += 1;
      console.log(`${name} ${step.id}`);
      if (verbose) for (const problem of problems.slice(0, 8)) console.log(`    ${problem.slice(0, 600)}`);
    }
  }
}

const root = ROOTS.find((path) => existsSync(join(path, 'scenarios')));
if (root === undefined) console.log('replay-strategies: no recordings here, nothing played');
else {
  const counts = { passed: 0, failed: 0 };
  const names = readdirSync(join(root, 'scenarios')).flatMap((area) =>
    readdirSync(join(root, 'scenarios', area)).map((file) => `${area}/${file.replace('.json', '')}`),
  );
  for (const name of names) if (wanted.length === 0 || wanted.some((text) => name.includes(text))) await play(root, name, counts);
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
}
