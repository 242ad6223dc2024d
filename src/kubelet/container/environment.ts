// SPDX-License-Identifier: Apache-2.0
// The environment of a container: services of the namespace, envFrom, env with its sources, `$(VAR)` expansion.
// @source upstream pkg/kubelet/kubelet_pods.go makeEnvironmentVariables, pkg/kubelet/envvars
import type { ConfigMap, Secret, Service } from '#api/core/v1';
import type { DeepReadonly } from '#machinery';
import type { ContainerSpec, PodView } from '../pod/pod.ts';
import { expand } from './expansion.ts';
import { type Allocatable, fieldValue, type PodAddresses, resourceValue } from './field-ref.ts';

/** Reads what variables refer to; undefined: there is no such object. */
export interface EnvironmentSources {
  configMap(namespace: string, name: string): Promise<DeepReadonly<ConfigMap> | undefined>;
  secret(namespace: string, name: string): Promise<DeepReadonly<Secret> | undefined>;
  services(namespace: string): readonly DeepReadonly<Service>[];
  readonly allocatable: Allocatable;
}

export interface EnvVar {
  readonly name: string;
  readonly value: string;
}

/** Thrown when a container cannot be configured: a reference that leads nowhere. Reason `CreateContainerConfigError`. */
export class ConfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ConfigError';
  }
}

/** @throws {ConfigError} With upstream's text. */
export async function environmentOf(
  pod: PodView,
  spec: ContainerSpec,
  { sources, addresses }: { sources: EnvironmentSources; addresses: PodAddresses },
): Promise<EnvVar[]> {
  const namespace = pod.metadata.namespace ?? '';
  const services = serviceVariables(pod, sources);
  const result = new Map<string, string>();
  for (const from of spec.envFrom ?? []) {
    for (const [key, value] of await fromObject(namespace, from, sources)) result.set(`${from.prefix ?? ''}${key}`, value);
  }
  for (const entry of spec.env ?? []) {
    const value =
      entry.valueFrom === undefined
        ? expand(entry.value ?? '', (name) => result.get(name) ?? services.get(name))
        : await fromSource({ pod, spec, sources, addresses }, entry.valueFrom);
    if (value !== undefined) result.set(entry.name, value);
  }
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value);
  return [...result].map(([name, value]) => ({ name, value }));
}

type EnvFrom = NonNullable<ContainerSpec['envFrom']>[number];
type ValueFrom = NonNullable<NonNullable<ContainerSpec['env']>[number]['valueFrom']>;

const decode = (base64: string) => Buffer.from(base64, 'base64').toString('utf8');

async function fromObject(namespace: string, from: EnvFrom, sources: EnvironmentSources): Promise<[string, string][]> {
  if (from.configMapRef !== undefined) {
    const name = from.configMapRef.name ?? '';
    const object = await sources.configMap(namespace, name);
    if (object === undefined && from.configMapRef.optional !== true) throw new ConfigError(`configmap "${name}" not found`);
    return Object.entries(object?.data ?? {});
  }
  if (from.secretRef !== undefined) {
    const name = from.secretRef.name ?? '';
    const object = await sources.secret(namespace, name);
    if (object === undefined && from.secretRef.optional !== true) throw new ConfigError(`secret "${name}" not found`);
    return Object.entries(object?.data ?? {}).map(([key, value]) => [key, decode(value)]);
  }
  return [];
}

interface SourceContext {
  readonly pod: PodView;
  readonly spec: ContainerSpec;
  readonly sources: EnvironmentSources;
  readonly addresses: PodAddresses;
}

async function fromSource({ pod, spec, sources, addresses }: SourceContext, from: ValueFrom): Promise<string | undefined> {
  const namespace = pod.metadata.namespace ?? '';
  try {
    if (from.fieldRef !== undefined) return fieldValue(pod, from.fieldRef.fieldPath, addresses);
    if (from.resourceFieldRef !== undefined) {
      return resourceValue(pod, from.resourceFieldRef, { self: spec, allocatable: sources.allocatable });
    }
  } catch (error) {
    throw new ConfigError((error as Error).message, { cause: error });
  }
  if (from.configMapKeyRef !== undefined) {
    const { name = '', key, optional } = from.configMapKeyRef;
    const object = await sources.configMap(namespace, name);
    if (object === undefined) return absent(optional, `configmap "${name}" not found`);
    return object.data?.[key] ?? absent(optional, `couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
  }
  if (from.secretKeyRef !== undefined) {
    const { name = '', key, optional } = from.secretKeyRef;
    const object = await sources.secret(namespace, name);
    if (object === undefined) return absent(optional, `secret "${name}" not found`);
    const value = object.data?.[key];
    return value === undefined ? absent(optional, `couldn't find key ${key} in Secret ${namespace}/${name}`) : decode(value);
  }
  throw new ConfigError('env valueFrom: this source is not supported by this kubelet');
}

function absent(optional: boolean | undefined, message: string): undefined {
  if (optional !== true) throw new ConfigError(message);
  return undefined;
}

/** `kubernetes` of `default` always, those of the Pod's namespace with `enableServiceLinks`. */
function serviceVariables(pod: PodView, sources: EnvironmentSources): Map<string, string> {
  const own = pod.metadata.namespace ?? '';
  const result = new Map<string, string>();
  const add = (service: DeepReadonly<Service>) => {
    for (const { name, value } of variablesOf(service)) result.set(name, value);
  };
  for (const service of sources.services('default')) if (service.metadata.name === 'kubernetes') add(service);
  if (pod.spec.enableServiceLinks === false) return result;
  for (const service of sources.services(own)) add(service);
  return result;
}

const envName = (text: string) => text.toUpperCase().replaceAll('-', '_');

export function variablesOf(service: DeepReadonly<Service>): EnvVar[] {
  const ip = service.spec.clusterIP;
  const ports = service.spec.ports ?? [];
  const first = ports[0];
  if (ip === undefined || ip === '' || ip === 'None' || first === undefined) return [];
  const prefix = envName(service.metadata.name);
  const host = ip.includes(':') ? `[${ip}]` : ip;
  const result: EnvVar[] = [
    { name: `${prefix}_SERVICE_HOST`, value: ip },
    { name: `${prefix}_SERVICE_PORT`, value: String(first.port) },
  ];
  for (const port of ports) if (port.name) result.push({ name: `${prefix}_SERVICE_PORT_${envName(port.name)}`, value: String(port.port) });
  ports.forEach((port, index) => {
    const protocol = port.protocol ?? 'TCP';
    const url = `${protocol.toLowerCase()}://${host}:${port.port}`;
    const name = `${prefix}_PORT_${port.port}_${protocol.toUpperCase()}`;
    if (index === 0) result.push({ name: `${prefix}_PORT`, value: url });
    result.push({ name, value: url });
    result.push({ name: `${name}_PROTO`, value: protocol.toLowerCase() });
    result.push({ name: `${name}_PORT`, value: String(port.port) });
    result.push({ name: `${name}_ADDR`, value: ip });
  });
  return result;
}
