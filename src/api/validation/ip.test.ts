// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { field } from '../../machinery/mod.ts';
import {
  bitsOf,
  canonicalAddress,
  canonicalCidrProblems,
  canonicalIpProblems,
  cidrProblems,
  interfaceCauses,
  ipProblems,
  specialKindOf,
} from './ip.ts';
import { cidrWarnings, ipWarnings } from './ip-warnings.ts';

const IP = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
const CIDR = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';
const MAPPED = 'must not be an IPv4-mapped IPv6 address';
const PATH = field('spec', 'x');

const ADDRESSES: Readonly<Record<string, string | undefined>> = {
  '1.2.3.4': undefined,
  '::1': undefined,
  '2001:DB8:0:0:0:0:0:1': undefined,
  '': IP,
  '1.2.3': IP,
  '1.2.3.0256': IP,
  'fe80::1%eth0': IP,
  '1.2.03.4': 'must not have leading 0s',
  '0001.2.3.4': 'must not have leading 0s',
  '::ffff:1.2.3.04': 'must not have leading 0s',
  '::ffff:1.2.3.4': MAPPED,
  '0:0:0:0:0:FFFF:102:304': MAPPED,
};
const RANGES: Readonly<Record<string, string | undefined>> = {
  '1.2.3.0/24': undefined,
  '::/0': undefined,
  '1.2.3.0': CIDR,
  '1.2.3.0/33': CIDR,
  '2001:db8::/129': CIDR,
  '1.2.3.0/+8': CIDR,
  '1.2.03.0/24': 'must not have leading 0s in IP or prefix length',
  '1.2.3.0/0024': 'must not have leading 0s in IP or prefix length',
  '::ffff:1.2.3.0/120': 'must not have an IPv4-mapped IPv6 address',
  '1.2.3.4/24': 'must not have bits set beyond the prefix length',
  '2001:db8::1/64': 'must not have bits set beyond the prefix length',
};
const KINDS: Readonly<Record<string, ReturnType<typeof specialKindOf>>> = {
  '0.0.0.0': 'unspecified',
  '0:0::': 'unspecified',
  '127.1.2.3': 'loopback',
  '0::1': 'loopback',
  '169.254.1.1': 'link-local',
  'febf::1': 'link-local',
  '224.0.0.9': 'link-local multicast',
  'ff02::1': 'link-local multicast',
  '224.0.1.1': undefined,
  'fec0::1': undefined,
};
const CANONICAL: Readonly<Record<string, string | undefined>> = {
  '2001:DB8::1': '2001:db8::1',
  '2001:0db8::1': '2001:db8::1',
  '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
  '1::2:3:4:5:6:7': '1:0:2:3:4:5:6:7',
  '0:0:0:0:0:0:0:0': '::',
  '::1': undefined,
  '1.2.3.4': undefined,
};

describe('addresses', () => {
  for (const [text, expected] of Object.entries(ADDRESSES))
    it(`${text || 'nothing'} ${expected ?? 'is right'}`, () => assert.deepEqual(ipProblems(text), expected ? [expected] : []));
  for (const [text, expected] of Object.entries(RANGES))
    it(`${text} ${expected ?? 'is right'}`, () => assert.deepEqual(cidrProblems(text), expected ? [expected] : []));
  for (const [text, expected] of Object.entries(KINDS)) it(`${text} is ${expected}`, () => assert.equal(specialKindOf(text), expected));
});

/** Fields that take one form: addresses, ranges, and addresses with the length of their network. */
const FORMS: Readonly<Record<string, readonly [of: 'address' | 'range' | 'interface', complaint?: string]>> = {
  '1.2.3.4': ['address'],
  '2001:db8::1': ['address'],
  '2001:DB8::1': ['address', 'must be in canonical form ("2001:db8::1")'],
  '1.2.3.04': ['address', 'must not have leading 0s'],
  '2001:db8::/64': ['range'],
  '2001:db8:0::/64': ['range', 'must be in canonical form ("2001:db8::/64")'],
  '1.2.3.4/24': ['range', 'must not have bits set beyond the prefix length'],
  '10.9.8.7/24': ['interface'],
  '2001:db8::1/64': ['interface'],
  '10.9.8.7': ['interface', 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)'],
  '10.9.8.07/24': ['interface', 'must be in canonical form ("10.9.8.7/24")'],
  '10.9.8.7/024': ['interface', 'must be in canonical form ("10.9.8.7/24")'],
  '2001:DB8:0::1/64': ['interface', 'must be in canonical form ("2001:db8::1/64")'],
  '::ffff:192.168.0.1/120': ['interface', 'must be in canonical form ("192.168.0.1/24")'],
};

it('the canonical form of an address is its own', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const canonical = canonicalAddress(text);
      assert.equal(canonical === undefined ? undefined : canonicalAddress(canonical), canonical);
    }),
  );
});

describe('fields that take one form', () => {
  const checks = {
    address: canonicalIpProblems,
    range: canonicalCidrProblems,
    interface: (text: string) => interfaceCauses(text, PATH).map(({ message }) => message.replace(/^.*?": /, '')),
  };
  for (const [text, [of, complaint]] of Object.entries(FORMS))
    it(`take ${text}: ${complaint ?? 'yes'}`, () => assert.deepEqual(checks[of](text), complaint ? [complaint] : []));
});

describe('addresses that an object had before', () => {
  it('are spoken of', () => {
    const later = 'will be considered invalid in a future Kubernetes release: use';
    assert.deepEqual(ipWarnings('1.2.3.04', PATH), [`spec.x: non-standard IP address "1.2.3.04" ${later} "1.2.3.4"`]);
    assert.deepEqual(ipWarnings('::ffff:1.2.3.4', PATH), [`spec.x: non-standard IP address "::ffff:1.2.3.4" ${later} "1.2.3.4"`]);
    assert.deepEqual(cidrWarnings('1.2.3.4/24', PATH), [
      'spec.x: CIDR value "1.2.3.4/24" is ambiguous in this context (should be "1.2.3.0/24" or "1.2.3.4/32"?)',
    ]);
    assert.deepEqual(cidrWarnings('1.2.03.0/24', PATH), [`spec.x: non-standard CIDR value "1.2.03.0/24" ${later} "1.2.3.0/24"`]);
    assert.deepEqual(cidrWarnings('::ffff:1.2.3.0/120', PATH), [
      `spec.x: non-standard CIDR value "::ffff:1.2.3.0/120" ${later} "1.2.3.0/24"`,
    ]);
  });
});

describe('forms of addresses', () => {
  const told = (text: string, canonical: string) => [
    `spec.x: IPv6 address "${text}" should be in RFC 5952 canonical format ("${canonical}")`,
  ];
  for (const [text, canonical] of Object.entries(CANONICAL))
    it(`of ${text}`, () => assert.deepEqual(ipWarnings(text, PATH), canonical === undefined ? [] : told(text, canonical)));

  it('of ranges', () => {
    const expected = ['spec.x: IPv6 CIDR value "2001:DB8::/32" should be in RFC 5952 canonical format ("2001:db8::/32")'];
    assert.deepEqual(cidrWarnings('2001:DB8::/32', PATH), expected);
  });

  it('that are asked for are the same address, and need no other one', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1, 0xab, 0xffff), { minLength: 8, maxLength: 8 }), (groups) => {
        const text = groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
        const [, canonical = text] = /\("(.*)"\)$/.exec(ipWarnings(text, PATH)[0] ?? '') ?? [];
        assert.equal(bitsOf(canonical), bitsOf(text));
        assert.deepEqual(ipWarnings(canonical, PATH), []);
      }),
    );
  });
});
