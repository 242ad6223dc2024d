// SPDX-License-Identifier: Apache-2.0
// The cluster's DNS server: names of the cluster from informers, all others from the node's resolvers. Takes CoreDNS' place as
// kubeadm configures it (kubernetes, forward, cache); no Corefile, no other plugins.
import type { InformerFactory } from '#client';
import { type Clock, type Logger, Metrics, systemClock } from '#component';
import { Forwarder, type Resolver } from './forwarder.ts';
import { type Answerer, listenTcp, listenUdp } from './listeners.ts';
import { bareReply, decodeQuery, encodeReply, type Query, queryFor, type Reply, rcodeOf, recordsOf } from './message.ts';
import { ClusterRecords, type Lookup, type RecordData } from './records.ts';

export interface ClusterDnsOptions {
  readonly informers: InformerFactory;
  /** `cluster.local` */
  readonly clusterDomain: string;
  readonly upstreamResolvers: readonly (Resolver | string)[];
  readonly listen: readonly { readonly address: string; readonly port: number }[];
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly metrics?: Metrics;
}

const MAX_MESSAGE = 65_535;
const MAX_CNAMES = 8;

export function createClusterDns(options: ClusterDnsOptions): ClusterDns {
  return new ClusterDns(options);
}

export class ClusterDns {
  readonly metrics: Metrics;
  /** Where it listens, once `run` has bound: for port 0. */
  readonly listening: Promise<readonly { readonly address: string; readonly port: number }[]>;
  readonly #options: ClusterDnsOptions;
  readonly #records: ClusterRecords;
  readonly #forwarder: Forwarder;
  readonly #clock: Clock;
  readonly #requests;
  readonly #responses;
  readonly #bound = Promise.withResolvers<readonly { readonly address: string; readonly port: number }[]>();
  #stop: AbortSignal = new AbortController().signal;

  /** Registers with the informers; their owner starts them. */
  constructor(options: ClusterDnsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#records = new ClusterRecords(options.informers, options.clusterDomain);
    const own = new Set(options.listen.map(({ address, port }) => `${address} ${port}`));
    const resolvers = options.upstreamResolvers
      .map((each) => (typeof each === 'string' ? { address: each, port: 53 } : each))
      .filter(({ address, port }) => !own.has(`${address} ${port}`));
    this.#forwarder = new Forwarder({ resolvers, clock: this.#clock });
    this.metrics = options.metrics ?? new Metrics();
    this.#requests = this.metrics.counter('coredns_dns_requests_total', 'Counter of DNS requests made per protocol', ['proto']);
    this.#responses = this.metrics.counter('coredns_dns_responses_total', 'Counter of response status codes', ['rcode']);
    this.listening = this.#bound.promise;
    this.listening.catch(() => {}); // run() tells too.
  }

  /** True once names of the cluster can be answered. */
  get ready(): boolean {
    return this.#records.hasSynced;
  }

  /** Until `signal`. @throws If an address cannot be bound. */
  async run(signal: AbortSignal): Promise<void> {
    this.#stop = signal;
    const stack = new AsyncDisposableStack();
    await using _sockets = stack;
    try {
      this.#bound.resolve(await this.#bind(stack));
    } catch (error) {
      this.#bound.reject(error);
      throw error;
    }
    if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  /** The answer to one message; undefined where there must be none. Never rejects. */
  async answer(message: Buffer, protocol: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    this.#requests.inc({ proto: protocol });
    const decoded = decodeQuery(message);
    if (decoded === undefined) return undefined;
    const reply = 'reply' in decoded ? decoded.reply : await this.#safely(decoded.query, protocol);
    this.#responses.inc({ rcode: String(rcodeOf(reply)) });
    return reply;
  }

  async #safely(query: Query, protocol: 'udp' | 'tcp'): Promise<Buffer> {
    try {
      return await this.#resolve(query, protocol);
    } catch (error) {
      this.#options.logger.debug({ name: query.name, error: String(error) }, 'Cannot answer a query');
      return bareReply(query.id, 'SERVFAIL');
    }
  }

  async #resolve(query: Query, protocol: 'udp' | 'tcp'): Promise<Buffer> {
    const limit = protocol === 'udp' ? query.udpLimit : MAX_MESSAGE;
    if (!this.ready) {
      const name = query.name.toLowerCase();
      if (name.endsWith(this.#records.zone) || name.endsWith('.arpa')) return encodeReply(query, failure('SERVFAIL'), limit);
    }
    const lookup: Lookup = this.ready
      ? this.#records.find(query.name.toLowerCase().replace(/\.$/, ''), query.type)
      : { outcome: 'foreign' };
    if (lookup.outcome === 'foreign') {
      const answer = await this.#forwarder.resolve(query, protocol, this.#stop);
      return answer === undefined ? encodeReply(query, failure('SERVFAIL'), limit) : fit(answer, query, limit);
    }
    return encodeReply(query, await this.#localReply(query, lookup), limit);
  }

  async #localReply(query: Query, lookup: Exclude<Lookup, { outcome: 'foreign' }>): Promise<Reply> {
    const { zone } = this.#records;
    if (lookup.outcome === 'missing') return { rcode: 'NXDOMAIN', authoritative: true, answers: [], soa: zone };
    const [alias] = lookup.answers;
    const isAlias = alias?.type === 'CNAME' && query.type !== 'CNAME';
    const answers = isAlias ? [...lookup.answers, ...(await this.#followAlias(alias.data, query))] : lookup.answers;
    const renamed = answers.map((record, index) => (index < lookup.answers.length ? { ...record, name: query.name } : record));
    return {
      rcode: 'NOERROR',
      authoritative: true,
      answers: renamed,
      additionals: lookup.additionals,
      soa: answers.length === 0 ? zone : undefined,
    };
  }

  /** What an ExternalName stands for, here or elsewhere: stub resolvers do not ask again. */
  async #followAlias(target: string, query: Query): Promise<readonly RecordData[]> {
    const found: RecordData[] = [];
    let name = target.toLowerCase().replace(/\.$/, '');
    for (let hop = 0; hop < MAX_CNAMES; hop++) {
      const next = this.#records.find(name, query.type);
      if (next.outcome === 'missing') break;
      if (next.outcome === 'foreign') return [...found, ...(await this.#askOthers(name, query))];
      found.push(...next.answers);
      const [alias] = next.answers;
      if (alias?.type !== 'CNAME') break;
      name = alias.data.toLowerCase();
    }
    return found;
  }

  async #askOthers(name: string, query: Query): Promise<readonly RecordData[]> {
    const own = queryFor(name, query);
    const answer = await this.#forwarder.resolve(own, 'tcp', this.#stop);
    return answer === undefined ? [] : recordsOf(answer);
  }

  async #bind(stack: AsyncDisposableStack): Promise<{ address: string; port: number }[]> {
    const answer: Answerer = (message, protocol) => this.answer(message, protocol);
    const bound: { address: string; port: number }[] = [];
    for (const { address, port } of this.#options.listen) {
      const tcp = await listenTcp(address, port, answer, this.#clock);
      stack.defer(() => tcp.close());
      const socket = await listenUdp(address, tcp.port, answer);
      stack.defer(() => new Promise<void>((resolve) => socket.close(() => resolve())));
      bound.push({ address, port: tcp.port });
    }
    return bound;
  }
}

function failure(rcode: 'SERVFAIL'): Reply {
  return { rcode, authoritative: false, answers: [] };
}

/** An answer that is too long for the client is cut to a bare one that says so. */
function fit(answer: Buffer, query: Query, limit: number): Buffer {
  if (answer.length <= limit) return answer;
  const cut = encodeReply(query, { rcode: 'NOERROR', authoritative: false, answers: [] }, limit);
  cut[2] = (cut[2] ?? 0) | 0x02;
  return cut;
}
