// SPDX-License-Identifier: Apache-2.0
// The resolver configuration of a Pod by its DNS policy, its host name and its /etc/hosts.
// @source upstream pkg/kubelet/network/dns/dns.go, pkg/kubelet/kubelet_pods.go
import type { DnsConfig } from '#runtime';
import type { PodView } from '../pod/pod.ts';

export interface DnsSettings {
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** The host's resolv.conf. */
  readonly hostResolvConf: string;
}

const MAX_SERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARS = 2048;

export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [key, ...rest] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (key === 'nameserver' && rest[0] !== undefined) servers.push(rest[0]);
    else if (key === 'search') searches = rest.map((domain) => (domain === '.' ? domain : domain.replace(/\.$/, '')));
    else if (key === 'options') options = rest;
  }
  return { servers, searches, options };
}

/** Undefined: the host's own file, untouched. */
export function podDns(pod: PodView, settings: DnsSettings): DnsConfig {
  const host = parseResolvConf(settings.hostResolvConf);
  return limit(merge(byPolicy(pod, settings, host), pod));
}

function byPolicy(pod: PodView, { clusterDns, clusterDomain }: DnsSettings, host: DnsConfig): DnsConfig {
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { servers: [], searches: [], options: [] };
  const useCluster = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && pod.spec.hostNetwork !== true);
  if (!useCluster || clusterDns.length === 0) return host;
  const own = [`${pod.metadata.namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  return { servers: clusterDns, searches: [...new Set([...own, ...host.searches])], options: ['ndots:5'] };
}

function merge(base: DnsConfig, pod: PodView): DnsConfig {
  const extra = pod.spec.dnsConfig;
  if (extra === undefined) return base;
  const options = new Map(base.options.map((option) => [option.split(':')[0] ?? option, option]));
  for (const { name = '', value } of extra.options ?? []) options.set(name, value === undefined ? name : `${name}:${value}`);
  return {
    servers: [...new Set([...base.servers, ...(extra.nameservers ?? [])])],
    searches: [...new Set([...base.searches, ...(extra.searches ?? [])])],
    options: [...options.values()],
  };
}

function limit({ servers, searches, options }: DnsConfig): DnsConfig {
  const kept: string[] = [];
  for (const domain of searches.slice(0, MAX_SEARCHES)) {
    if ([...kept, domain].join(' ').length > MAX_SEARCH_CHARS) break;
    kept.push(domain);
  }
  return { servers: servers.slice(0, MAX_SERVERS), searches: kept, options };
}

export interface PodHostname {
  /** What the kernel says: at most 63 characters. */
  readonly hostname: string;
  /** `host.subdomain.namespace.svc.domain`, or ''. */
  readonly fqdn: string;
}

/** @throws {RangeError} If a full name is wanted and longer than the kernel takes. */
export function podHostname(pod: PodView, clusterDomain: string): PodHostname {
  if (pod.spec.hostnameOverride !== undefined) return { hostname: pod.spec.hostnameOverride, fqdn: '' };
  const short = pod.spec.hostname || truncated(pod.metadata.name);
  const fqdn = pod.spec.subdomain ? `${short}.${pod.spec.subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}` : '';
  if (pod.spec.setHostnameAsFQDN !== true || fqdn === '') return { hostname: short, fqdn };
  if (fqdn.length > 64) {
    throw new RangeError(
      `Failed to construct FQDN from Pod hostname and cluster domain, FQDN ${fqdn} is too long (64 characters is the max, ${fqdn.length} characters requested)`,
    );
  }
  return { hostname: fqdn, fqdn };
}

function truncated(name: string): string {
  return name.length <= 63 ? name : name.slice(0, 63).replace(/[-.]+$/, '');
}

const LOCAL_LINES = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
];

/** The text of /etc/hosts. With the host's network, the host's file with the Pod's aliases added. */
export function hostsFile(pod: PodView, ips: readonly string[], { hostname, fqdn }: PodHostname, hostFile: string): string {
  const aliases = (pod.spec.hostAliases ?? []).map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}`);
  const added = aliases.length === 0 ? [] : ['', '# Entries added by HostAliases.', ...aliases];
  if (pod.spec.hostNetwork === true) return `# Kubernetes-managed hosts file (host network).\n${hostFile}${joined(added)}`;
  const short = hostname.split('.')[0] ?? hostname;
  const names = fqdn === '' ? hostname : `${fqdn}\t${short}`;
  return joined(['# Kubernetes-managed hosts file.', ...LOCAL_LINES, ...ips.map((ip) => `${ip}\t${names}`), ...added]);
}

const joined = (lines: readonly string[]) => (lines.length === 0 ? '' : `${lines.join('\n')}\n`);
