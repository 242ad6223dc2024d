// SPDX-License-Identifier: Apache-2.0
// The nftables rules for Service ports, in the shape of upstream's nftables mode: one table `kube-proxy` per family, verdict maps
// from address and port to a chain per service, a chain per endpoint. Pure.
import { createHash } from 'node:crypto';
import type { Endpoint, Family, ServicePort } from '../service-map.ts';
import type { Chain, NamedSet, RuleSet } from './rule-set.ts';

export interface RuleOptions {
  readonly family: Family;
  /** Pods of the cluster: what does not come from there is masqueraded on its way to a cluster IP. Absent: nothing is. */
  readonly clusterCidr: string | undefined;
}

type ElementSet = 'cluster-ips' | 'no-endpoint-services' | 'no-endpoint-nodeports' | 'service-ips' | 'service-nodeports' | 'firewall-ips';

export const TABLE = 'kube-proxy';
const MARK = '0x4000';
const NAME_LIMIT = 120;
const TERM_MARK = 'jump mark-for-masquerade';

/** Builds tables for one family; what a port needs is made once and kept as long as the port object. */
export class RuleBuilder {
  readonly #options: RuleOptions;
  readonly #base: readonly (readonly [string, Chain])[];
  readonly #known = new WeakMap<ServicePort, PortRules>();

  constructor(options: RuleOptions) {
    this.#options = options;
    this.#base = baseChains(options.family);
  }

  /** `nodePortIps`: the addresses node ports answer on. */
  build(ports: readonly ServicePort[], nodePortIps: readonly string[]): RuleSet {
    const { family } = this.#options;
    const chains = new Map(this.#base);
    const affinities = new Map<string, NamedSet>();
    const elements = new Map<string, Map<string, string>>();
    for (const port of ports) {
      if (port.family !== family) continue;
      const rules = this.#rulesOf(port);
      for (const [name, chain] of rules.chains) chains.set(name, chain);
      for (const [name, set] of rules.affinities) affinities.set(name, set);
      for (const [set, key, value] of rules.elements) {
        const found = elements.get(set) ?? new Map<string, string>();
        elements.set(set, found.set(key, value));
      }
    }
    elements.set('nodeport-ips', new Map(nodePortIps.map((ip) => [ip, ''])));
    const sets = new Map<string, NamedSet>();
    for (const [name, kind, declaration] of namedSets(family))
      sets.set(name, { kind, declaration, elements: elements.get(name) ?? new Map() });
    for (const [name, set] of affinities) sets.set(name, set);
    return { family, table: TABLE, chains, sets };
  }

  #rulesOf(port: ServicePort): PortRules {
    const known = this.#known.get(port);
    if (known !== undefined) return known;
    const rules = new PortRules(this.#options);
    rules.add(port);
    this.#known.set(port, rules);
    return rules;
  }
}

function namedSets(family: Family): readonly (readonly [string, 'set' | 'map', string])[] {
  const address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
  const triple = `type ${address} . inet_proto . inet_service : verdict`;
  const pair = 'type inet_proto . inet_service : verdict';
  return [
    ['cluster-ips', 'set', `type ${address}`],
    ['nodeport-ips', 'set', `type ${address}`],
    ['no-endpoint-services', 'map', triple],
    ['no-endpoint-nodeports', 'map', pair],
    ['service-ips', 'map', triple],
    ['service-nodeports', 'map', pair],
    ['firewall-ips', 'map', triple],
  ];
}

/** What one port adds to the table. */
class PortRules {
  readonly chains = new Map<string, Chain>();
  readonly affinities = new Map<string, NamedSet>();
  readonly elements: (readonly [ElementSet, string, string])[] = [];
  readonly #options: RuleOptions;

  constructor(options: RuleOptions) {
    this.#options = options;
  }

  add(port: ServicePort): void {
    const { clusterIp, protocol, nodePort, externalIps, loadBalancerIps } = port;
    const name = chainName(port);
    this.#put('cluster-ips', clusterIp, '');
    const internal = port.internalLocal ? port.localEndpoints : port.clusterEndpoints;
    const external = port.externalLocal ? port.localEndpoints : port.clusterEndpoints;
    const isExternal = nodePort > 0 || externalIps.length + loadBalancerIps.length > 0;
    const needsLocal = port.localEndpoints.length > 0 && (port.internalLocal || (port.externalLocal && isExternal));
    const needsCluster = port.clusterEndpoints.length > 0 && (!port.internalLocal || isExternal);
    if (needsLocal) this.#balance(`local-${name}`, port, port.localEndpoints);
    if (needsCluster) this.#balance(`service-${name}`, port, port.clusterEndpoints);
    const key = `${clusterIp} . ${protocol} . ${port.port}`;
    if (internal.length > 0) this.#put('service-ips', key, `goto ${this.#internalChain(name, port)}`);
    else this.#put('no-endpoint-services', key, verdictWithout(port));
    if (isExternal) this.#addExternal(name, port, external);
  }

  #put(set: ElementSet, key: string, value: string): void {
    this.elements.push([set, key, value]);
  }

  #addExternal(name: string, port: ServicePort, endpoints: readonly Endpoint[]): void {
    const { protocol, nodePort, externalIps, loadBalancerIps, sourceRanges } = port;
    const { family } = this.#options;
    const verdict = endpoints.length > 0 || port.clusterEndpoints.length > 0 ? `goto ${this.#externalChain(name, port)}` : undefined;
    for (const ip of [...externalIps, ...loadBalancerIps]) {
      const key = `${ip} . ${protocol} . ${port.port}`;
      if (verdict !== undefined) this.#put('service-ips', key, verdict);
      if (endpoints.length === 0) this.#put('no-endpoint-services', key, verdictWithout(port));
    }
    if (nodePort > 0 && verdict !== undefined) this.#put('service-nodeports', `${protocol} . ${nodePort}`, verdict);
    if (nodePort > 0 && endpoints.length === 0) this.#put('no-endpoint-nodeports', `${protocol} . ${nodePort}`, verdictWithout(port));
    if (sourceRanges.length === 0) return;
    this.chains.set(`firewall-${name}`, plain([`${family} saddr != { ${sourceRanges.join(', ')} } drop`]));
    for (const ip of loadBalancerIps) this.#put('firewall-ips', `${ip} . ${protocol} . ${port.port}`, `goto firewall-${name}`);
  }

  /** Where a cluster IP leads: masquerading for what comes from outside, then the endpoints. */
  #internalChain(name: string, port: ServicePort): string {
    const { family, clusterCidr } = this.#options;
    const target = port.internalLocal ? `local-${name}` : `service-${name}`;
    if (clusterCidr === undefined) return target;
    this.chains.set(`internal-${name}`, plain([`${family} saddr != ${clusterCidr} ${TERM_MARK}`, `goto ${target}`]));
    return `internal-${name}`;
  }

  /** Where node ports, external and load balancer addresses lead. */
  #externalChain(name: string, port: ServicePort): string {
    const { family, clusterCidr } = this.#options;
    const chain = `external-${name}`;
    if (!port.externalLocal) {
      this.chains.set(chain, plain([TERM_MARK, `goto service-${name}`]));
      return chain;
    }
    // Pods and the node itself go anywhere, as if to the cluster IP; others only to endpoints here, with their address kept.
    const cluster = port.clusterEndpoints.length > 0 ? `goto service-${name}` : undefined;
    const rules = [
      ...(clusterCidr === undefined || cluster === undefined ? [] : [`${family} saddr ${clusterCidr} ${cluster}`]),
      ...(cluster === undefined ? [] : [`fib saddr type local ${TERM_MARK}`, `fib saddr type local ${cluster}`]),
      ...(port.localEndpoints.length > 0 ? [`goto local-${name}`] : []),
    ];
    this.chains.set(chain, plain(rules));
    return chain;
  }

  /** A chain that chooses one endpoint: the one a client had before, else at random. */
  #balance(chain: string, port: ServicePort, endpoints: readonly Endpoint[]): void {
    const { family } = this.#options;
    const sticky =
      port.affinitySeconds === undefined
        ? []
        : endpoints.map((endpoint) => {
            const target = endpointName(port, endpoint);
            return `${family} saddr @affinity-${target} goto endpoint-${target}`;
          });
    const choices = endpoints.map((endpoint, index) => `${index} : goto endpoint-${endpointName(port, endpoint)}`);
    this.chains.set(chain, plain([...sticky, `numgen random mod ${endpoints.length} vmap { ${choices.join(', ')} }`]));
    for (const endpoint of endpoints) this.#endpoint(port, endpoint);
  }

  #endpoint(port: ServicePort, { ip, port: targetPort }: Endpoint): void {
    const { family } = this.#options;
    const name = endpointName(port, { ip, port: targetPort });
    if (this.chains.has(`endpoint-${name}`)) return;
    const remember = port.affinitySeconds === undefined ? [] : [`update @affinity-${name} { ${family} saddr }`];
    const target = family === 'ip' ? `${ip}:${targetPort}` : `[${ip}]:${targetPort}`;
    // A Pod that reaches itself through the Service must get its answer back through the node.
    this.chains.set(
      `endpoint-${name}`,
      plain([`${family} saddr ${ip} ${TERM_MARK}`, ...remember, `meta l4proto ${port.protocol} dnat to ${target}`]),
    );
    if (port.affinitySeconds === undefined) return;
    const address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
    const declaration = `type ${address} ; flags dynamic,timeout ; timeout ${port.affinitySeconds}s`;
    this.affinities.set(`affinity-${name}`, { kind: 'set', declaration, elements: undefined });
  }
}

function baseChains(family: Family): [string, Chain][] {
  const triple = `${family} daddr . meta l4proto . th dport vmap`;
  const filter = (hook: string, priority: string, rules: readonly string[]): Chain => ({
    hook: `type filter hook ${hook} priority ${priority}`,
    rules,
  });
  const nat = (hook: string, priority: string, rule: string): Chain => ({
    hook: `type nat hook ${hook} priority ${priority}`,
    rules: [rule],
  });
  const fresh = (...targets: string[]): string[] => targets.map((target) => `ct state new jump ${target}`);
  return [
    ['mark-for-masquerade', plain([`meta mark set meta mark or ${MARK}`])],
    ['masquerading', plain([`meta mark & ${MARK} == 0 return`, `meta mark set meta mark ^ ${MARK}`, 'masquerade fully-random'])],
    ['reject-chain', plain(['reject'])],
    ['services', plain([`${triple} @service-ips`, `${family} daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports`])],
    ['service-endpoints-check', plain([`${triple} @no-endpoint-services`])],
    ['nodeport-endpoints-check', plain([`${family} daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports`])],
    ['firewall-check', plain([`${triple} @firewall-ips`])],
    ['cluster-ips-check', plain([`${family} daddr @cluster-ips reject`])],
    ['filter-prerouting-pre-dnat', filter('prerouting', '-110', fresh('firewall-check'))],
    ['filter-output-pre-dnat', filter('output', '-110', fresh('firewall-check'))],
    ['filter-input', filter('input', '0', fresh('nodeport-endpoints-check', 'service-endpoints-check'))],
    ['filter-forward', filter('forward', '0', fresh('service-endpoints-check', 'cluster-ips-check'))],
    ['filter-output', filter('output', '0', fresh('service-endpoints-check', 'cluster-ips-check'))],
    ['nat-prerouting', nat('prerouting', '-100', 'jump services')],
    ['nat-output', nat('output', '-100', 'jump services')],
    ['nat-postrouting', nat('postrouting', '100', 'jump masquerading')],
  ];
}

function plain(rules: readonly string[]): Chain {
  return { hook: '', rules };
}

/** With a local policy and endpoints elsewhere, another node answers: drop, so that clients try again. */
function verdictWithout(port: ServicePort): string {
  return port.hasAnyEndpoints ? 'drop' : 'goto reject-chain';
}

/** `ABCD2345-default/web/tcp/http`, as upstream names chains: unique by hash, readable by the rest. */
export function chainName({ namespace, name, protocol, portName }: ServicePort): string {
  return named(`${namespace}/${name}/${protocol}/${portName}`);
}

function endpointName({ namespace, name, protocol, portName }: ServicePort, { ip, port }: Pick<Endpoint, 'ip' | 'port'>): string {
  return named(`${namespace}/${name}/${protocol}/${portName}__${ip.replaceAll(':', '.')}/${port}`);
}

function named(text: string): string {
  const digest = createHash('sha256').update(text).digest();
  const hash = [...digest.subarray(0, 8)].map((byte) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte & 31]).join('');
  return `${hash}-${text}`.slice(0, NAME_LIMIT);
}
