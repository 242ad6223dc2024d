// SPDX-License-Identifier: Apache-2.0
// Whether an APIService can be used: its Service is there with the port, has ready endpoints, and the server behind it answers
// discovery. Gives the Available condition.
// @source upstream kube-aggregator pkg/controllers/status/remote/remote_available_controller.go
import { endpointslices, services } from '#api';
import type { APIService, APIServiceCondition } from '#api/apiregistration/v1';
import type { EndpointSlice } from '#api/discovery/v1';
import type { DeepReadonly } from '#machinery';
import type { UserInfo } from '../auth/user.ts';
import type { ObjectReader } from '../registry/strategy.ts';
import { joinHostPort } from '../webhook-client/failure.ts';
import type { ExtensionServer } from './extension-server.ts';

export type Availability = Pick<APIServiceCondition, 'status' | 'reason' | 'message'>;

const PASSED: Availability = { status: 'True', reason: 'Passed', message: 'all checks passed' };
/** Of what this server answers for itself. */
export const LOCAL: Availability = { status: 'True', reason: 'Local', message: 'Local APIServices are always available' };
/** Who asks for discovery; may read everything, so that a refusal means a broken server. */
const CHECKER: UserInfo = { name: 'system:kube-aggregator', uid: '', groups: ['system:masters'], extra: {} };
const ATTEMPTS = 5;
const TIMEOUT_MS = 5_000;

const no = (reason: string, message: string): Availability => ({ status: 'False', reason, message });

/** What the API alone says about the Service; undefined where nothing is wrong. */
export function serviceProblem({ spec }: DeepReadonly<APIService>, reader: ObjectReader): Availability | undefined {
  const { namespace = '', name = '', port = 443 } = spec.service ?? {};
  const where = `service/${name} in ${JSON.stringify(namespace)}`;
  const service = reader.find(services, { namespace, name });
  if (service === undefined) return no('ServiceNotFound', `${where} is not present`);
  if ((service.spec.type ?? 'ClusterIP') !== 'ClusterIP') return undefined;
  const found = service.spec.ports?.find((candidate) => candidate.port === port);
  if (found === undefined) return no('ServicePortError', `${where} is not listening on port ${port}`);
  const slices = reader.list(endpointslices, namespace).filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name);
  if (slices.length === 0) return no('EndpointsNotFound', `cannot find endpointslices for ${where}`);
  const portName = found.name ?? '';
  if (slices.some((slice) => hasEndpoint(slice, portName))) return undefined;
  return no('MissingEndpoints', `endpointslices for ${where} have no addresses with port name ${JSON.stringify(portName)}`);
}

function hasEndpoint({ endpoints, ports }: DeepReadonly<EndpointSlice>, portName: string): boolean {
  const isReady = (endpoints ?? []).some(({ conditions }) => conditions?.ready !== false);
  return isReady && (ports ?? []).some(({ name, port }) => (name ?? '') === portName && port !== undefined);
}

/** Asks for discovery several times at once; one answer is enough. */
export async function checkAvailability(
  apiService: DeepReadonly<APIService>,
  server: ExtensionServer,
  { reader, signal }: { readonly reader: ObjectReader; readonly signal: AbortSignal },
): Promise<Availability> {
  const problem = serviceProblem(apiService, reader);
  if (problem !== undefined) return problem;
  const { group = '', version = '' } = apiService.spec;
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  try {
    await Promise.any(Array.from({ length: ATTEMPTS }, () => probe(server, path, signal)));
    return PASSED;
  } catch (error) {
    const last = error instanceof AggregateError ? error.errors.at(-1) : error;
    return no('FailedDiscoveryCheck', last instanceof Error ? last.message : String(last));
  }
}

async function probe(server: ExtensionServer, path: string, signal: AbortSignal): Promise<void> {
  const { host, port } = server.resolve();
  const url = `https://${joinHostPort(host, port)}${path}`;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  let why: string;
  try {
    const { status } = await server.get(path, { signal: limited, user: CHECKER }, { verify: false });
    if (status >= 200 && status < 300) return;
    why = `bad status from ${url}: ${status}`;
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
  }
  throw new Error(`failing or missing response from ${url}: ${why}`);
}

/** The conditions with `found` in its place; the same list where nothing changed. */
export function withAvailability(
  conditions: readonly DeepReadonly<APIServiceCondition>[],
  found: Availability,
  now: string,
): readonly DeepReadonly<APIServiceCondition>[] {
  const old = conditions.find(({ type }) => type === 'Available');
  if (old !== undefined && old.status === found.status && old.reason === found.reason && old.message === found.message) return conditions;
  const lastTransitionTime = old?.status === found.status ? (old.lastTransitionTime ?? now) : now;
  const next = { lastTransitionTime, message: found.message ?? '', reason: found.reason ?? '', status: found.status, type: 'Available' };
  return old === undefined ? [...conditions, next] : conditions.map((condition) => (condition === old ? next : condition));
}
