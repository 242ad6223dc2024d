// SPDX-License-Identifier: Apache-2.0
// Every complaint about an EncryptionConfiguration, and what is taken.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeProblems } from '../auth/field-problems.ts';
import type { ResourceEntry } from './configuration.ts';
import { configurationCauses } from './validation.ts';

const KEY = { name: 'k', secret: Buffer.alloc(32).toString('base64') };
const IDENTITY = { identity: {} };
const of = (resources: readonly string[], ...providers: object[]): ResourceEntry => ({ resources, providers: providers as never });
const named = (...resources: string[]) => [of(resources, IDENTITY)];
const keyed = (kind: string, ...keys: object[]) => [of(['secrets'], { [kind]: { keys } })];
const OVERLAP = "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked";
const PROVIDER = 'resources[0].providers[0]';
const NO_PROVIDER = '{"AESGCM":null,"AESCBC":null,"Secretbox":null,"Identity":null,"KMS":null}';

const cases: readonly (readonly [string, readonly ResourceEntry[], string])[] = [
  ['nothing', [], 'resources: Required value: at least one resources is required'],
  ['an entry', named('secrets', 'configmaps', '*.apps'), '[]'],
  [
    'every provider',
    [of(['secrets'], { aesgcm: { keys: [KEY] } }, { aescbc: { keys: [KEY] } }, { secretbox: { keys: [KEY] } }, IDENTITY)],
    '[]',
  ],
  ['one resource twice in two entries', [...named('secrets'), ...named('secrets')], '[]'],
  ['no resources', [of([], IDENTITY)], 'resources[0].resources: Required value: at least one resources[0].resources is required'],
  ['no providers', [of(['secrets'])], 'resources[0].providers: Required value: at least one resources[0].providers is required'],
  [
    'a resource twice',
    named('secrets', 'secrets'),
    'resources[0].resources: Invalid value: ["secrets","secrets"]: the same resource cannot be specified multiple times',
  ],
  ['a group and one of it', named('secrets', '*.'), `resources[0].resources: Invalid value: ["secrets","*."]: ${OVERLAP}`],
  ['everything and more', named('*.*', '*.apps'), `resources[0].resources: Invalid value: ["*.*","*.apps"]: ${OVERLAP}`],
  ['two groups', named('*.apps', 'secrets', '*.batch'), '[]'],
  [
    'capital letters',
    named('apiServerIPInfo'),
    'resources[0].resources[0]: Invalid value: "apiServerIPInfo": resource name should not contain capital letters',
  ],
  [
    'a star',
    named('*'),
    `resources[0].resources[0]: Invalid value: "*": use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources`,
  ],
  [
    'what no API shows',
    named('servicenodeportallocations'),
    'resources[0].resources[0]: Invalid value: "servicenodeportallocations": resources which do not have REST API/s cannot be encrypted',
  ],
  [
    'events of the newer group',
    named('*.events.k8s.io'),
    `resources[0].resources[0]: Invalid value: "*.events.k8s.io": '*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file`,
  ],
  [
    'a group that is no more',
    named('deployments.extensions'),
    `resources[0].resources[0]: Invalid value: "deployments.extensions": 'extensions' group has been removed and cannot be used for encryption`,
  ],
  [
    'a resource of every group',
    named('secrets.*'),
    'resources[0].resources[0]: Invalid value: "secrets.*": encrypting the same resource across groups is not supported',
  ],
  [
    'a provider without one',
    [of(['secrets'], {})],
    `${PROVIDER}: Invalid value: ${NO_PROVIDER}: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity`,
  ],
  [
    'two providers in one',
    [of(['secrets'], { aesgcm: { keys: [KEY] }, identity: {} })],
    `${PROVIDER}: Invalid value: {"AESGCM":{"Keys":[{"Name":"k","Secret":"REDACTED"}]},"AESCBC":null,"Secretbox":null,"Identity":{},"KMS":null}: more than one provider specified in a single element, should split into different list elements`,
  ],
  ['no keys', keyed('aescbc'), `${PROVIDER}.aescbc.keys: Required value: at least one keys is required`],
  [
    'a key of nothing',
    keyed('aesgcm', {}),
    `[${PROVIDER}.aesgcm.keys[0].name: Required value: name is a mandatory field for a key, ${PROVIDER}.aesgcm.keys[0].secret: Required value: secret is a mandatory field for a key]`,
  ],
  [
    'a secret of another alphabet',
    keyed('aescbc', { name: 'k', secret: 'd293IQ' }),
    `${PROVIDER}.aescbc.keys[0].secret: Invalid value: "REDACTED": secrets must be base64 encoded`,
  ],
  [
    'a short secret',
    keyed('secretbox', { name: 'a:b', secret: 'AAAA' }),
    `${PROVIDER}.secretbox.keys[0].secret: Invalid value: "REDACTED": secret is not of the expected length, got 3, expected one of [32]`,
  ],
  ['a name with a colon', keyed('aescbc', { ...KEY, name: 'a:b' }), '[]'],
];
for (const [what, entries, expected] of cases) {
  test(`a configuration with ${what}: ${expected}`, () => {
    assert.equal(describeProblems(configurationCauses(entries)), expected);
  });
}
