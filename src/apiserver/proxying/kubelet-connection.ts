// SPDX-License-Identifier: Apache-2.0
// How the API server reaches a node's kubelet: its address and port from the Node object, TLS with a client certificate.
// @source upstream pkg/kubelet/client/kubelet_client.go
import type { Agent } from 'node:https';
import type { SecureContextOptions } from 'node:tls';
import { nodes } from '#api';
import type { Node, Pod } from '#api/core/v1';
import { apiError, type DeepReadonly, internalError, notFound } from '#machinery';
import type { ObjectReader } from '../registry/strategy.ts';
import type { ApiResult } from '../request/context.ts';

export interface KubeletClientConfig {
  /** Presented to kubelets. */
  readonly certificate: SecureContextOptions;
  /** Checks theirs; absent: they are not checked, as upstream without --kubelet-certificate-authority. */
  readonly ca: string | undefined;
  /** @source --kubelet-preferred-address-types */
  readonly preferredAddressTypes: readonly string[];
}

export interface Destination {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly tls: { readonly certificate: SecureContextOptions; readonly ca: string | undefined } | undefined;
  /** For servers with a name of their own: its connections are kept by `agent`. Replaces what `tls.ca` says of verification. */
  readonly server?: { readonly agent: Agent; readonly name: string; readonly verify: boolean } | undefined;
  /** Headers beside the client's. */
  readonly headers?: Readonly<Record<string, string | string[]>> | undefined;
  /** Headers of the client's, by lower-case name, that are not passed on. */
  readonly drops?: ((name: string) => boolean) | undefined;
  /** The answer where there is no connection. @default 503 as a Status */
  readonly fails?: ((error: Error) => ApiResult) | undefined;
}

const DEFAULT_PORT = 10250;

/** Where the kubelet of a node listens. @throws {ApiError} 404 without the node, 500 without an address. */
export function kubeletOf(nodeName: string, path: string, reader: ObjectReader, config: KubeletClientConfig): Destination {
  const node = reader.find(nodes, { name: nodeName });
  if (node === undefined) throw notFound(nodes, nodeName);
  return {
    host: addressOf(node, config.preferredAddressTypes),
    port: node.status.daemonEndpoints.kubeletEndpoint.Port || DEFAULT_PORT,
    path,
    tls: { certificate: config.certificate, ca: config.ca },
  };
}

function addressOf({ metadata, status }: DeepReadonly<Node>, preferred: readonly string[]): string {
  for (const type of preferred) {
    const found = status.addresses?.find((address) => address.type === type);
    if (found !== undefined) return found.address;
  }
  throw internalError(`no preferred addresses found; known addresses: ${JSON.stringify(status.addresses ?? [])} of node ${metadata.name}`);
}

/** The node of a Pod whose streams are asked for. @throws {ApiError} 400 while it has none. */
export function nodeNameOfPod(pod: DeepReadonly<Pod>): string {
  if (!pod.spec.nodeName) throw apiError(400, 'BadRequest', `pod ${pod.metadata.name} does not have a host assigned`);
  return pod.spec.nodeName;
}

/**
 * The container a stream is for: the one asked for, or the only one, or the annotated default.
 * @throws {ApiError} 400 if that is not clear or there is no such container.
 */
export function containerOf(pod: DeepReadonly<Pod>, asked: string): string {
  const { spec, metadata } = pod;
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])].map(
    (container) => container.name,
  );
  if (asked !== '') {
    if (!all.includes(asked)) throw apiError(400, 'BadRequest', `container ${asked} is not valid for pod ${metadata.name}`);
    return asked;
  }
  if (spec.containers.length === 1 && spec.containers[0] !== undefined) return spec.containers[0].name;
  const names = (list: readonly { readonly name: string }[]) => `[${list.map(({ name }) => name).join(' ')}]`;
  const init = spec.initContainers?.length ? ` or one of the init containers: ${names(spec.initContainers)}` : '';
  throw apiError(
    400,
    'BadRequest',
    `a container name must be specified for pod ${metadata.name}, choose one of: ${names(spec.containers)}${init}`,
  );
}
