// SPDX-License-Identifier: Apache-2.0
// Subresources that are streams or proxies: log, exec, attach, portforward, and `proxy` of Pods, Services and nodes.
// @source upstream pkg/registry/core/pod/rest, pkg/registry/core/{node,service}

import { endpointslices, nodes, pods } from '#api';
import type { Pod, Service } from '#api/core/v1';
import { badRequest, type DeepReadonly, type FieldCause, invalid, notFound, serviceUnavailable } from '#machinery';
import { containerOf, type Destination, type KubeletClientConfig, kubeletOf, nodeNameOfPod } from '../proxying/kubelet-connection.ts';
import { proxy } from '../proxying/proxy-handler.ts';
import type { ServedResource } from '../registry/generic/served-resource.ts';
import type { ApiResult, RequestContext } from '../request/context.ts';
import type { ServerParts } from './endpoint.ts';
import { flagOf, integerOf, timeOf } from './options.ts';

/** kubectl's names of the log options are the kubelet's. */
const LOG_OPTIONS = [
  'follow',
  'previous',
  'sinceSeconds',
  'sinceTime',
  'timestamps',
  'tailLines',
  'limitBytes',
  'stream',
  'insecureSkipTLSVerifyBackend',
];
const LOG_FLAGS = new Set(['follow', 'previous', 'timestamps', 'insecureSkipTLSVerifyBackend']);
const STREAM_OPTIONS: Readonly<Record<string, string>> = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' };

function podOf(context: RequestContext, served: ServedResource): DeepReadonly<Pod> {
  return served.store.get(context.info.namespace, context.info.name).object as unknown as DeepReadonly<Pod>;
}

async function connectAdmission(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<void> {
  const calls = parts.admission.callsFor(context, served, 'CONNECT', context.info.subresource, false, context.info.name);
  const options = connectOptionsOf(context, served) as never;
  await calls.mutate(options, undefined);
  await calls.validate(options, undefined);
}

/** The options object of a connection, as admission sees it: what the query says, under the kind that discovery names. */
function connectOptionsOf({ query, info }: RequestContext, { resource }: ServedResource): object {
  const kind = resource.subresources.find(({ name }) => name === info.subresource)?.kind ?? resource.kind;
  const options: Record<string, unknown> = { kind, apiVersion: 'v1', metadata: {} };
  for (const name of Object.keys(STREAM_OPTIONS)) if (query.has(name)) options[name] = isTrue(query.get(name));
  if (query.has('container')) options['container'] = query.get('container');
  if (query.has('command')) options['command'] = query.getAll('command');
  if (query.has('ports')) options['ports'] = query.getAll('ports').flatMap((text) => text.split(',').map(Number));
  if (info.subresource === 'proxy') options['path'] = info.rest.join('/');
  return options;
}

const isTrue = (value: string | null) => value === 'true' || value === '1' || value === '';

export async function podLog(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  config: KubeletClientConfig,
): Promise<ApiResult> {
  checkLogOptions(context);
  await parts.cacher.fresh();
  const pod = podOf(context, served);
  const container = containerOf(pod, context.query.get('container') ?? '');
  // Not scheduled yet: there is no log, which is no error.
  if (!pod.spec.nodeName) return { type: 'bytes', status: 204, contentType: '', body: '' };
  const query = new URLSearchParams();
  for (const name of LOG_OPTIONS) {
    const value = context.query.get(name);
    if (value !== null) query.set(name, LOG_FLAGS.has(name) ? String(flagOf(context.query, name)) : value);
  }
  const path = `/containerLogs/${pod.metadata.namespace}/${pod.metadata.name}/${container}?${query}`;
  return proxy(context, kubeletOfPod(nodeNameOfPod(pod), path, parts, config));
}

/** A Pod's node that is not there is reported as a Pod of that name, as upstream's does. @throws {ApiError} 404 */
function kubeletOfPod(node: string, path: string, { reader }: ServerParts, config: KubeletClientConfig): Destination {
  if (reader.find(nodes, { name: node }) === undefined) throw notFound(pods, node);
  return kubeletOf(node, path, reader, config);
}

/** @throws {ApiError} 400, 422. @source upstream ValidatePodLogOptions */
function checkLogOptions({ query, info }: RequestContext): void {
  const causes: FieldCause[] = [];
  const atLeast = (name: string, least: number, why: string) => {
    const value = integerOf(query, name);
    if (value !== undefined && value < least)
      causes.push({ reason: 'FieldValueInvalid', message: `Invalid value: ${value}: ${why}`, field: name });
  };
  timeOf(query, 'sinceTime');
  atLeast('tailLines', 0, 'must be greater than or equal to 0');
  atLeast('limitBytes', 1, 'must be greater than 0');
  if (query.has('sinceSeconds') && query.has('sinceTime')) {
    causes.push({
      reason: 'FieldValueForbidden',
      message: 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
      field: '[]',
    });
  }
  atLeast('sinceSeconds', 1, 'must be greater than 0');
  if (query.has('stream')) causes.push({ reason: 'FieldValueForbidden', message: 'Forbidden: may not be specified', field: 'stream' });
  if (causes.length > 0) throw invalid({ group: '', kind: 'PodLogOptions' }, info.name, causes);
}

/** exec and attach. */
export async function podStream(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  config: KubeletClientConfig,
): Promise<ApiResult> {
  await parts.cacher.fresh();
  const { subresource } = context.info;
  await connectAdmission(context, served, parts);
  const pod = podOf(context, served);
  const container = containerOf(pod, context.query.get('container') ?? '');
  const node = nodeNameOfPod(pod);
  const query = new URLSearchParams();
  for (const [asked, kubelet] of Object.entries(STREAM_OPTIONS)) {
    const value = context.query.get(asked);
    if (value === 'true' || value === '1') query.set(kubelet, '1');
  }
  for (const word of context.query.getAll('command')) query.append('command', word);
  const path = `/${subresource}/${pod.metadata.namespace}/${pod.metadata.name}/${container}?${query}`;
  const kubelet = kubeletOfPod(node, path, parts, config);
  if (subresource === 'exec' && !query.has('command')) throw badRequest('you must specify at least 1 command for the container');
  if (!['input', 'output', 'error'].some((name) => query.has(name)))
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  return proxy(context, kubelet);
}

export async function podPortForward(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  config: KubeletClientConfig,
): Promise<ApiResult> {
  await parts.cacher.fresh();
  await connectAdmission(context, served, parts);
  const pod = podOf(context, served);
  const ports = context.query.getAll('ports').map((port) => `port=${encodeURIComponent(port)}`);
  const path = `/portForward/${pod.metadata.namespace}/${pod.metadata.name}${ports.length === 0 ? '' : `?${ports.join('&')}`}`;
  return proxy(context, kubeletOfPod(nodeNameOfPod(pod), path, parts, config));
}

/** What comes after the `proxy` of a Pod, Service or node, with the query: the path to ask of it. */
export function restOf({ info, request: { path, search } }: Pick<RequestContext, 'info' | 'request'>): string {
  // ['', 'api', 'v1', ('namespaces', NAMESPACE,) RESOURCE, NAME, 'proxy', …]: names may well begin with "proxy" themselves.
  const inside = path
    .split('/')
    .slice(info.namespace === '' ? 6 : 8)
    .join('/');
  return `/${inside}${search === '' ? '' : `?${search}`}`;
}

export async function nodeProxy(
  context: RequestContext,
  served: ServedResource,
  parts: ServerParts,
  config: KubeletClientConfig,
): Promise<ApiResult> {
  await parts.cacher.fresh();
  await connectAdmission(context, served, parts);
  const [name = ''] = context.info.name.split(':');
  return proxy(context, kubeletOf(name, restOf(context), parts.reader, config));
}

/** Names are `name`, `name:port` or `https:name:port`. */
function splitName(text: string, kind: 'pod' | 'service'): { scheme: string; name: string; port: string } {
  const parts = text.split(':');
  if (parts.length === 3) {
    const [scheme = '', name = '', port = ''] = parts;
    if (scheme !== '' && scheme !== 'http' && scheme !== 'https') throw badRequest(`invalid ${kind} request ${JSON.stringify(text)}`);
    return { scheme, name, port };
  }
  return { scheme: '', name: parts[0] ?? '', port: parts[1] ?? '' };
}

function plain(scheme: string, host: string, port: number, path: string): Destination {
  return { host, port, path, tls: scheme === 'https' ? { certificate: {}, ca: undefined } : undefined };
}

export async function podProxy(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  await parts.cacher.fresh();
  await connectAdmission(context, served, parts);
  const { scheme, name, port } = splitName(context.info.name, 'pod');
  const pod = served.store.get(context.info.namespace, name).object as unknown as DeepReadonly<Pod>;
  if (!pod.status.podIP) throw badRequest(`address not allowed`);
  const named = pod.spec.containers.flatMap((container) => container.ports ?? []);
  const found = port === '' ? named[0]?.containerPort : (named.find((candidate) => candidate.name === port)?.containerPort ?? Number(port));
  return proxy(context, plain(scheme, pod.status.podIP, found || 80, restOf(context)));
}

export async function serviceProxy(context: RequestContext, served: ServedResource, parts: ServerParts): Promise<ApiResult> {
  await parts.cacher.fresh();
  await connectAdmission(context, served, parts);
  const { scheme, name, port } = splitName(context.info.name, 'service');
  const { namespace } = context.info;
  const service = served.store.get(namespace, name).object as unknown as DeepReadonly<Service>;
  const wanted = (service.spec.ports ?? []).find((candidate) => port === '' || candidate.name === port || String(candidate.port) === port);
  if (wanted === undefined)
    throw serviceUnavailable(
      `no service port ${/^\d+$/.test(port) ? port : JSON.stringify(port)} found for service ${JSON.stringify(name)}`,
    );
  const slices = parts.reader
    .list(endpointslices, namespace)
    .filter((slice) => slice.metadata.labels?.['kubernetes.io/service-name'] === name);
  if (slices.length === 0) throw notFound(served.resource, name); // Nobody has looked for endpoints yet.
  for (const slice of slices) {
    const target = slice.ports?.find((candidate) => (candidate.name ?? '') === (wanted.name ?? ''))?.port;
    const ready = (slice.endpoints ?? []).filter((endpoint) => endpoint.conditions?.ready !== false);
    const address = ready[Math.floor(Math.random() * ready.length)]?.addresses[0];
    if (target !== undefined && address !== undefined) return proxy(context, plain(scheme, address, target, restOf(context)));
  }
  throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
}
