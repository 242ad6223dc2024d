// SPDX-License-Identifier: Apache-2.0
// The cluster's DNS server over real sockets on loopback: names of the specification, forwarding, limits, malformed packets.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import * as dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { endpointslices, services } from '#api';
import { createInformerFactory } from '#client';
import { FakeApi } from '#client/testing';
import { FakeClock, silentLogger } from '#component';
import { type ClusterDns, createClusterDns } from './cluster-dns.ts';
import { framed, resolversOf } from './forwarder.ts';
import { listenTcp, listenUdp } from './listeners.ts';
import { decodeQuery, encodeReply } from './message.ts';

const SERVICES = [
  [
    'web',
    {
      clusterIP: '10.96.0.20',
      clusterIPs: ['10.96.0.20', 'fd00::20'],
      ports: [
        { name: 'http', port: 80 },
        { name: 'dns', port: 53, protocol: 'UDP' },
      ],
    },
  ],
  ['db', { clusterIP: 'None', clusterIPs: ['None'], ports: [{ name: 'sql', port: 5432 }] }],
  ['empty', { clusterIP: 'None', clusterIPs: ['None'] }],
  ['out', { type: 'ExternalName', externalName: 'example.test' }],
  ['in', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }],
] as const;
const ENDPOINTS = [
  { addresses: ['10.244.0.5'], hostname: 'db-0', conditions: { ready: true } },
  { addresses: ['10.244.0.6'], conditions: { ready: true } },
  { addresses: ['10.244.0.7'], hostname: 'db-2', conditions: { ready: false } },
];
const stop = new AbortController();
const clock = new FakeClock();
const asked: string[] = [];
let dns: ClusterDns;
let address = { address: '127.0.0.1', port: 0 };
let running: Promise<void>[] = [];
let closing: () => Promise<void> = async () => {};

/** The resolver of the node: knows example.test, big.test (too big for UDP), and nothing else. */
async function upstream(message: Buffer, protocol: 'udp' | 'tcp'): Promise<Buffer | undefined> {
  const packet = dnsPacket.decode(message);
  const { name = '', type = 'A' } = packet.questions?.[0] ?? {};
  asked.push(`${protocol} ${name} ${type}`);
  if (name === 'silent.test') return undefined;
  const count = name === 'big.test' ? 100 : name === 'example.test' && type === 'A' ? 1 : 0;
  const answers = Array.from({ length: protocol === 'udp' && count > 10 ? 0 : count }, (_, index) => ({
    type: 'A' as const,
    name,
    ttl: 20,
    data: `192.0.2.${index + 1}`,
  }));
  const flags = (name.endsWith('.test') ? 0 : 3) | (protocol === 'udp' && count > 10 ? dnsPacket.TRUNCATED_RESPONSE : 0);
  const { id = 0, questions = [] } = packet;
  return dnsPacket.encode({ type: 'response', id, flags, questions, answers });
}

before(async () => {
  const api = new FakeApi();
  for (const [name, spec] of SERVICES)
    api.seed(services, { metadata: { name, namespace: 'default' }, spec: structuredClone(spec) as object });
  const metadata = { name: 'db-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'db' } };
  api.seed(endpointslices, { metadata, addressType: 'IPv4', endpoints: ENDPOINTS, ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }] });
  const tcp = await listenTcp('127.0.0.1', 0, upstream, clock);
  const udp = await listenUdp('127.0.0.1', tcp.port, upstream);
  const informers = createInformerFactory(api, { logger: silentLogger });
  dns = createClusterDns({
    informers,
    clusterDomain: 'cluster.local',
    upstreamResolvers: [{ address: '127.0.0.1', port: tcp.port }],
    listen: [{ address: '127.0.0.1', port: 0 }],
    logger: silentLogger,
    clock,
  });
  informers.start(stop.signal);
  await informers.waitForSync(stop.signal);
  running = [dns.run(stop.signal), informers.drained()];
  address = (await dns.listening)[0] ?? address;
  closing = async () => {
    udp.close();
    await tcp.close();
  };
});

after(async () => {
  stop.abort();
  await Promise.all(running);
  await closing();
});

function query(name: string, type: string, extra: Partial<dnsPacket.Packet> = {}): Buffer {
  return dnsPacket.encode({
    type: 'query',
    id: 4711,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: type as dnsPacket.RecordType, class: 'IN' }],
    ...extra,
  });
}

function overUdp(message: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('message', (answer) => {
      socket.close();
      resolve(answer);
    });
    socket.send(message, address.port, address.address);
  });
}

function overTcp(message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(address.port, address.address, () => socket.write(framed(message)));
    let received = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 + received.readUInt16BE(0)) return;
      socket.destroy();
      resolve(received.subarray(2));
    });
  });
}

/** The outcome in one line: code, then the data of answers. */
async function ask(name: string, type: string): Promise<string> {
  const packet = dnsPacket.decode(await overUdp(query(name, type)));
  assert.equal(packet.id, 4711);
  const data = (packet.answers ?? []).map((answer) => {
    const { data } = answer as { data: unknown };
    if (answer.type === 'SRV') return `${answer.data.port} ${answer.data.target}`;
    return Array.isArray(data) ? String(data[0]) : String(data);
  });
  const soa = packet.authorities?.some(({ type }) => type === 'SOA') ? ['SOA'] : [];
  return [(packet as unknown as { rcode: string }).rcode, ...data.sort(), ...soa].join(' ');
}

const NAMES: readonly (readonly [string, string, string])[] = [
  ['web.default.svc.cluster.local', 'A', 'NOERROR 10.96.0.20'],
  ['WEB.Default.svc.Cluster.LOCAL', 'A', 'NOERROR 10.96.0.20'],
  ['web.default.svc.cluster.local', 'AAAA', 'NOERROR fd00::20'],
  ['web.default.svc.cluster.local', 'TXT', 'NOERROR SOA'],
  ['web.default.svc.cluster.local', 'SRV', 'NOERROR 53 web.default.svc.cluster.local 80 web.default.svc.cluster.local'],
  ['_http._tcp.web.default.svc.cluster.local', 'SRV', 'NOERROR 80 web.default.svc.cluster.local'],
  ['_http._udp.web.default.svc.cluster.local', 'SRV', 'NXDOMAIN SOA'],
  ['absent.default.svc.cluster.local', 'A', 'NXDOMAIN SOA'],
  ['web.absent.svc.cluster.local', 'A', 'NXDOMAIN SOA'],
  ['default.svc.cluster.local', 'A', 'NOERROR SOA'],
  ['cluster.local', 'A', 'NOERROR SOA'],
  ['db.default.svc.cluster.local', 'A', 'NOERROR 10.244.0.5 10.244.0.6'],
  ['db-0.db.default.svc.cluster.local', 'A', 'NOERROR 10.244.0.5'],
  ['10-244-0-6.db.default.svc.cluster.local', 'A', 'NOERROR 10.244.0.6'],
  ['db-2.db.default.svc.cluster.local', 'A', 'NXDOMAIN SOA'],
  [
    '_sql._tcp.db.default.svc.cluster.local',
    'SRV',
    'NOERROR 5432 10-244-0-6.db.default.svc.cluster.local 5432 db-0.db.default.svc.cluster.local',
  ],
  ['empty.default.svc.cluster.local', 'A', 'NXDOMAIN SOA'],
  ['out.default.svc.cluster.local', 'A', 'NOERROR 192.0.2.1 example.test'],
  ['out.default.svc.cluster.local', 'CNAME', 'NOERROR example.test'],
  ['in.default.svc.cluster.local', 'A', 'NOERROR 10.96.0.20 web.default.svc.cluster.local'],
  ['10-1-2-3.default.pod.cluster.local', 'A', 'NOERROR 10.1.2.3'],
  ['10-1-2-300.default.pod.cluster.local', 'A', 'NXDOMAIN SOA'],
  ['dns-version.cluster.local', 'TXT', 'NOERROR 1.1.0'],
  ['20.0.96.10.in-addr.arpa', 'PTR', 'NOERROR web.default.svc.cluster.local'],
  ['5.0.244.10.in-addr.arpa', 'PTR', 'NOERROR db-0.db.default.svc.cluster.local'],
  ['0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa', 'PTR', 'NOERROR web.default.svc.cluster.local'],
  ['example.test', 'A', 'NOERROR 192.0.2.1'],
  ['nowhere.invalid', 'A', 'NXDOMAIN'],
];
for (const [name, type, wanted] of NAMES)
  test(`${name} ${type} is ${wanted.slice(0, 60)}`, async () => {
    assert.equal(await ask(name, type), wanted);
  });

test('an answer of others is remembered for its time, and its TTL falls', async () => {
  await ask('cached.example.test', 'A');
  await ask('example.test', 'A');
  asked.length = 0;
  await clock.advance(8000);
  const packet = dnsPacket.decode(await overUdp(query('EXAMPLE.test', 'A')));
  assert.deepEqual(asked, []);
  assert.equal((packet.answers?.[0] as { ttl: number } | undefined)?.ttl, 12);
  assert.equal(packet.questions?.[0]?.name, 'EXAMPLE.test');
  await clock.advance(13_000);
  await ask('example.test', 'A');
  assert.deepEqual(asked, ['udp example.test A']);
});

test('an answer too big for UDP is truncated there and whole over TCP', async () => {
  const short = dnsPacket.decode(await overUdp(query('big.test', 'A')));
  assert.equal(short.flag_tc, true);
  const whole = dnsPacket.decode(await overTcp(query('big.test', 'A')));
  assert.equal(whole.answers?.length, 100);
});

test('encodeReply() gives as many answers as fit and says that there are more', () => {
  const decoded = decodeQuery(query('many.default.svc.cluster.local', 'A'));
  assert.ok(decoded !== undefined && 'query' in decoded);
  const answers = Array.from({ length: 200 }, (_, index) => ({
    type: 'A' as const,
    name: 'many.default.svc.cluster.local',
    data: `10.0.0.${index}`,
  }));
  const bytes = encodeReply(decoded.query, { rcode: 'NOERROR', authoritative: true, answers }, 512);
  const packet = dnsPacket.decode(bytes);
  assert.ok(bytes.length <= 512 && (packet.answers?.length ?? 0) > 25);
  assert.equal(packet.flag_tc, true);
  assert.equal(packet.answers?.[20]?.name, 'many.default.svc.cluster.local');
});

test('a client with EDNS gets an OPT record back, one without does not', async () => {
  const opt = { type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, options: [] } as unknown as dnsPacket.Answer;
  const types = async (message: Buffer): Promise<string[]> =>
    (dnsPacket.decode(await overUdp(message)).additionals ?? []).map(({ type }) => type);
  assert.deepEqual(await types(query('web.default.svc.cluster.local', 'A', { additionals: [opt] })), ['OPT']);
  assert.deepEqual(await types(query('web.default.svc.cluster.local', 'A')), []);
});

test('a resolver that is silent costs its time and ends as SERVFAIL', async () => {
  let answer: string | undefined;
  const answering = ask('silent.test', 'A').then((text) => {
    answer = text;
  });
  while (answer === undefined) await clock.advance(2000);
  await answering;
  assert.equal(answer, 'SERVFAIL');
});

test('malformed packets are answered with an error or not at all, and never break the server', async () => {
  const good = query('web.default.svc.cluster.local', 'A');
  const mutated = fc.tuple(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length)).map(([at, value, length]) => {
    const copy = Buffer.from(good.subarray(0, Math.max(1, length)));
    copy[at % copy.length] = value;
    return copy;
  });
  const any = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const local = (message: Buffer): boolean => {
    const decoded = decodeQuery(message);
    return decoded === undefined || !('query' in decoded) || decoded.query.name.toLowerCase().endsWith('cluster.local');
  };
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, any).filter(local), async (message) => {
      const reply = await dns.answer(message, 'udp');
      if (reply === undefined) return;
      assert.equal(reply.readUInt16BE(0), message.readUInt16BE(0));
      assert.ok(((reply[2] ?? 0) & 0x80) !== 0);
    }),
    { numRuns: 500 },
  );
  assert.equal(await ask('web.default.svc.cluster.local', 'A'), 'NOERROR 10.96.0.20');
});

test('resolversOf() reads resolv.conf and leaves the server itself out', () => {
  const text = '# nameserver 9.9.9.9\nnameserver 10.96.0.10\n nameserver 192.0.2.53\nsearch x\n';
  assert.deepEqual(resolversOf(text, ['10.96.0.10']), [{ address: '192.0.2.53', port: 53 }]);
});
