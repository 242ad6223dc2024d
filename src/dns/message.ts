// SPDX-License-Identifier: Apache-2.0
// DNS messages as bytes: decoding of queries with every malformed one caught, answers that fit, and the few changes a cache makes
// to a stored answer (ID, question's letter case, ages) without decoding it. RFC 1035, 6891.
import * as dnsPacket from 'dns-packet';
import type { RecordData } from './records.ts';

export interface Query {
  readonly id: number;
  /** As asked, letter case kept. */
  readonly name: string;
  readonly type: string;
  /** What the client takes over UDP. */
  readonly udpLimit: number;
  readonly edns: boolean;
  readonly dnssec: boolean;
  readonly recursionDesired: boolean;
  readonly bytes: Buffer;
}

export type Rcode = 'NOERROR' | 'FORMERR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP' | 'REFUSED';

/** An answer to send at once, nothing at all, or a query. */
export type Decoded = { readonly query: Query } | { readonly reply: Buffer } | undefined;

export interface Reply {
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly answers: readonly RecordData[];
  readonly additionals?: readonly RecordData[];
  /** The zone whose SOA goes along with a negative answer. */
  readonly soa?: string | undefined;
}

const HEADER = 12;
const RESPONSE = 0x80;
const CODES: Readonly<Record<Rcode, number>> = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 };
const MAX_UDP = 1232;
const PLAIN_UDP = 512;
const OPT = 41;
export const TTL_SECONDS = 30;
const POINTER_TO_QUESTION = Buffer.from([0xc0, HEADER]);
/** One resource record; dns-packet has it, its types do not. */
const recordCodec = (dnsPacket as unknown as { answer: { encode(record: dnsPacket.Answer): Buffer } }).answer;
/** An empty OPT record: root name, our UDP size, no flags. */
const OPT_RECORD = Buffer.from([0, 0, OPT, MAX_UDP >> 8, MAX_UDP & 0xff, 0, 0, 0, 0, 0, 0]);

/** Never throws. Responses and fragments get no answer, so that two servers cannot answer each other for ever. */
export function decodeQuery(bytes: Buffer): Decoded {
  if (bytes.length < HEADER || ((bytes[2] ?? 0) & RESPONSE) !== 0) return undefined;
  const id = bytes.readUInt16BE(0);
  if (((bytes[2] ?? 0) & 0x78) !== 0) return { reply: bareReply(id, 'NOTIMP') };
  try {
    const packet = dnsPacket.decode(bytes);
    const [question] = packet.questions ?? [];
    if (question === undefined || packet.questions?.length !== 1) return { reply: bareReply(id, 'FORMERR') };
    if ((question.class ?? 'IN') !== 'IN') return { reply: bareReply(id, 'REFUSED') };
    const opt = packet.additionals?.find((record) => record.type === 'OPT') as dnsPacket.OptAnswer | undefined;
    const limit = opt === undefined ? PLAIN_UDP : Math.min(MAX_UDP, Math.max(PLAIN_UDP, opt.udpPayloadSize));
    return {
      query: {
        id,
        name: question.name,
        type: question.type,
        udpLimit: limit,
        edns: opt !== undefined,
        dnssec: opt?.flag_do === true,
        recursionDesired: ((bytes[2] ?? 0) & 1) !== 0,
        bytes,
      },
    };
  } catch {
    return { reply: bareReply(id, 'FORMERR') };
  }
}

/** Encodes a reply; over UDP as many answers as fit, marked as truncated if that is not all. */
export function encodeReply(query: Query, reply: Reply, limit: number): Buffer {
  const whole = encode(query, reply, false);
  if (whole.length <= limit) return whole;
  const bare = encode(query, { ...reply, additionals: [] }, false);
  if (bare.length <= limit) return bare;
  let [fits, tooMany] = [0, reply.answers.length];
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1;
    const size = encode(query, { ...reply, answers: reply.answers.slice(0, middle), additionals: [] }, true).length;
    if (size <= limit) fits = middle;
    else tooMany = middle;
  }
  return encode(query, { ...reply, answers: reply.answers.slice(0, fits), additionals: [] }, true);
}

function encode(query: Query, reply: Reply, truncated: boolean): Buffer {
  const flags =
    (reply.authoritative ? dnsPacket.AUTHORITATIVE_ANSWER : 0) |
    (truncated ? dnsPacket.TRUNCATED_RESPONSE : 0) |
    (query.recursionDesired ? dnsPacket.RECURSION_DESIRED : 0) |
    dnsPacket.RECURSION_AVAILABLE |
    CODES[reply.rcode];
  const records = (all: readonly RecordData[]): Buffer[] => all.map((record) => encodeRecord(record, query.name));
  const sections = [
    records(reply.answers),
    reply.soa === undefined ? [] : [recordCodec.encode(startOfAuthority(reply.soa))],
    [...records(reply.additionals ?? []), ...(query.edns ? [OPT_RECORD] : [])],
  ];
  const questions = [{ name: query.name, type: query.type as dnsPacket.RecordType, class: 'IN' as const }];
  const head = dnsPacket.encode({ type: 'response', id: query.id, flags, questions });
  sections.forEach((section, index) => void head.writeUInt16BE(section.length, 6 + 2 * index));
  return Buffer.concat([head, ...sections.flat()]);
}

/** dns-packet does not compress; the owner name, nearly always the question's, becomes a pointer to it. */
function encodeRecord(record: RecordData, asked: string): Buffer {
  const bytes = recordCodec.encode({ ...record, ttl: TTL_SECONDS } as dnsPacket.Answer);
  if (record.name.toLowerCase() !== asked.toLowerCase() || asked === '.' || asked === '') return bytes;
  return Buffer.concat([POINTER_TO_QUESTION, bytes.subarray(skipName(bytes, 0))]);
}

function startOfAuthority(zone: string): dnsPacket.Answer {
  const [mname, rname] = [`ns.dns.${zone}`, `hostmaster.${zone}`];
  const data = { mname, rname, serial: 1, refresh: 7200, retry: 1800, expire: 86_400, minimum: TTL_SECONDS };
  return { type: 'SOA', name: zone, ttl: TTL_SECONDS, data };
}

/** A query of our own for another name, of the same type. */
export function queryFor(name: string, { id, type }: Query): Query {
  const questions = [{ name, type: type as dnsPacket.RecordType, class: 'IN' as const }];
  const bytes = dnsPacket.encode({ type: 'query', id, flags: dnsPacket.RECURSION_DESIRED, questions });
  return { id, name, type, udpLimit: PLAIN_UDP, edns: false, dnssec: false, recursionDesired: true, bytes };
}

/** The addresses and aliases an answer holds. */
export function recordsOf(answer: Buffer): RecordData[] {
  return (dnsPacket.decode(answer).answers ?? []).flatMap((record): RecordData[] =>
    record.type === 'A' || record.type === 'AAAA' || record.type === 'CNAME'
      ? [{ type: record.type, name: record.name, data: record.data }]
      : [],
  );
}

/** A header alone. */
export function bareReply(id: number, rcode: Rcode): Buffer {
  const bytes = Buffer.alloc(HEADER);
  bytes.writeUInt16BE(id, 0);
  bytes[2] = RESPONSE;
  bytes[3] = 0x80 | CODES[rcode];
  return bytes;
}

export function rcodeOf(message: Buffer): number {
  return (message[3] ?? 0) & 0x0f;
}

export function isTruncated(message: Buffer): boolean {
  return ((message[2] ?? 0) & 0x02) !== 0;
}

/** The bytes of the question section, after the header. @throws {RangeError} If it is cut off. */
export function questionOf(message: Buffer): Buffer {
  return message.subarray(HEADER, skipName(message, HEADER) + 4);
}

/** The same question, letter case aside: an answer to another is forged or astray. */
export function sameQuestion(a: Buffer, b: Buffer): boolean {
  const [x, y] = [questionOf(a), questionOf(b)];
  return x.length === y.length && x.toString('latin1').toLowerCase() === y.toString('latin1').toLowerCase();
}

/** A stored answer for another query of the same question: its ID, its letter case, and TTLs `ageSeconds` lower. */
export function reuse(answer: Buffer, query: Query, ageSeconds: number): Buffer {
  const copy = Buffer.from(answer);
  copy.writeUInt16BE(query.id, 0);
  questionOf(query.bytes).copy(copy, HEADER);
  if (ageSeconds > 0) for (const { offset, ttl } of ttlsOf(copy)) copy.writeUInt32BE(Math.max(0, ttl - ageSeconds), offset);
  return copy;
}

/** The lowest TTL of an answer, or undefined if it has no records. @throws {RangeError} If it is cut off. */
export function lowestTtl(message: Buffer): number | undefined {
  const ttls = ttlsOf(message).map(({ ttl }) => ttl);
  return ttls.length === 0 ? undefined : Math.min(...ttls);
}

function ttlsOf(message: Buffer): { offset: number; ttl: number }[] {
  const found: { offset: number; ttl: number }[] = [];
  let at = HEADER + questionOf(message).length;
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let index = 0; index < records; index++) {
    at = skipName(message, at);
    if (message.readUInt16BE(at) !== OPT) found.push({ offset: at + 4, ttl: message.readUInt32BE(at + 4) });
    at += 10 + message.readUInt16BE(at + 8);
  }
  return found;
}

/** Where what follows a name begins. */
function skipName(message: Buffer, start: number): number {
  for (let at = start; ; ) {
    const length = message.readUInt8(at);
    if (length === 0) return at + 1;
    if ((length & 0xc0) === 0xc0) return at + 2;
    at += length + 1;
  }
}
