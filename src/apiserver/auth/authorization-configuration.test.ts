// SPDX-License-Identifier: Apache-2.0
// Every complaint about an AuthorizationConfiguration, and what is taken.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { FlagError, systemClock } from '#component';
import { parseAuthorizationConfiguration } from './authorization-configuration.ts';

const folder = mkdtempSync(join(tmpdir(), 'authorization-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'webhook.conf');
writeFileSync(
  file,
  'apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n',
);

const deps = { clock: systemClock, logger: { warn() {} } as never };
const textOf = (authorizers: unknown, version = 'v1') =>
  JSON.stringify({ apiVersion: `apiserver.config.k8s.io/${version}`, kind: 'AuthorizationConfiguration', authorizers });
const parse = (authorizers: unknown) => parseAuthorizationConfiguration(textOf(authorizers), 'f', deps);

const WEBHOOK = {
  timeout: '5s',
  authorizedTTL: '1m',
  unauthorizedTTL: '1m',
  subjectAccessReviewVersion: 'v1',
  failurePolicy: 'NoOpinion',
  connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: file },
};
const webhook = (more: object, name = 'w') => ({ type: 'Webhook', name, webhook: { ...WEBHOOK, ...more } });
const conditions = (...expressions: string[]) => ({
  matchConditionSubjectAccessReviewVersion: 'v1',
  matchConditions: expressions.map((expression) => ({ expression })),
});
const W = 'authorizers[0]';
const CONNECTION = `${W}.connectionInfo`;

const cases: readonly (readonly [string, unknown, string | undefined])[] = [
  ['nothing', [], 'authorizers: Required value: at least one authorization mode must be defined'],
  [
    'built-in modes',
    [
      { type: 'Node', name: 'node' },
      { type: 'RBAC', name: 'rbac' },
    ],
    undefined,
  ],
  ['two webhooks', [webhook({}), webhook({}, 'x')], undefined],
  ['no type', [{ name: 'a' }], `${W}.type: Required value`],
  [
    'another type',
    [{ type: 'Foo', name: 'a' }],
    `${W}.type: Unsupported value: "Foo": supported values: "ABAC", "AlwaysAllow", "AlwaysDeny", "Node", "RBAC", "Webhook"`,
  ],
  [
    'a mode twice',
    [
      { type: 'RBAC', name: 'a' },
      { type: 'RBAC', name: 'b' },
    ],
    'authorizers[1].type: Duplicate value: "RBAC"',
  ],
  ['no name', [{ type: 'RBAC' }], `${W}.name: Required value`],
  [
    'a name twice',
    [
      { type: 'RBAC', name: 'a' },
      { type: 'Node', name: 'a' },
    ],
    'authorizers[1].name: Duplicate value: "a"',
  ],
  ['a name that is none', [{ type: 'RBAC', name: '_' }], `${W}.name: Invalid value: "_": authorizer name is invalid: `],
  [
    'a webhook of another type',
    [{ type: 'RBAC', name: 'a', webhook: {} }],
    `${W}.webhook: Invalid value: "non-null": may only be specified when type=Webhook`,
  ],
  ['a webhook of nothing', [{ type: 'Webhook', name: 'a' }], `${W}.webhook: Required value: required when type=Webhook`],
  ['no timeout', [webhook({ timeout: '0s' })], `${W}.timeout: Required value`],
  ['a long timeout', [webhook({ timeout: '60s' })], `${W}.timeout: Invalid value: "1m0s": must be > 0s and <= 30s`],
  ['a negative timeout', [webhook({ timeout: '-1s' })], `${W}.timeout: Invalid value: "-1s": must be > 0s and <= 30s`],
  ['a timeout that is none', [webhook({ timeout: 'soon' })], `${W}.timeout: Invalid value: "soon": time: invalid duration "soon"`],
  ['a negative ttl', [webhook({ authorizedTTL: '-30s' })], `${W}.authorizedTTL: Invalid value: "-30s": must be > 0s`],
  ['another negative ttl', [webhook({ unauthorizedTTL: '-1h' })], `${W}.unauthorizedTTL: Invalid value: "-1h0m0s": must be > 0s`],
  ['no version', [webhook({ subjectAccessReviewVersion: '' })], `${W}.subjectAccessReviewVersion: Required value`],
  [
    'another version',
    [webhook({ subjectAccessReviewVersion: 'v2' })],
    `${W}.subjectAccessReviewVersion: Unsupported value: "v2": supported values: "v1", "v1beta1"`,
  ],
  [
    'conditions without a version',
    [webhook({ matchConditions: [{ expression: 'true' }] })],
    `${W}.matchConditionSubjectAccessReviewVersion: Required value: required if match conditions are specified`,
  ],
  [
    'conditions of another version',
    [webhook({ matchConditionSubjectAccessReviewVersion: 'v1beta1' })],
    `${W}.matchConditionSubjectAccessReviewVersion: Unsupported value: "v1beta1": supported values: "v1"`,
  ],
  ['no policy', [webhook({ failurePolicy: undefined })], `${W}.failurePolicy: Required value`],
  [
    'another policy',
    [webhook({ failurePolicy: 'Fail' })],
    `${W}.failurePolicy: Unsupported value: "Fail": supported values: "NoOpinion", "Deny"`,
  ],
  ['no connection', [webhook({ connectionInfo: undefined })], `${CONNECTION}.type: Required value`],
  [
    'another connection',
    [webhook({ connectionInfo: { type: 'Foo' } })],
    `${CONNECTION}.type: Unsupported value: {"Type":"Foo","KubeConfigFile":null}: supported values: "InClusterConfig", "KubeConfigFile"`,
  ],
  [
    'a file in the cluster',
    [webhook({ connectionInfo: { type: 'InClusterConfig', kubeConfigFile: '/x' } })],
    `${CONNECTION}.kubeConfigFile: Invalid value: "/x": can only be set when type=KubeConfigFile`,
  ],
  ['no file', [webhook({ connectionInfo: { type: 'KubeConfigFile' } })], `${CONNECTION}.kubeConfigFile: Required value`],
  [
    'a file beside',
    [webhook({ connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: './x' } })],
    `${CONNECTION}.kubeConfigFile: Invalid value: "./x": must be an absolute path`,
  ],
  [
    'a file that is not there',
    [webhook({ connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: '/none/at/all' } })],
    `${CONNECTION}.kubeConfigFile: Invalid value: "/none/at/all": error loading file: stat /none/at/all: no such file or directory`,
  ],
  [
    'a folder',
    [webhook({ connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: folder } })],
    `${CONNECTION}.kubeConfigFile: Invalid value: "${folder}": must be a regular file`,
  ],
  ['conditions', [webhook(conditions("request.user == 'a'", 'has(request.resourceAttributes)'))], undefined],
  ['an empty condition', [webhook(conditions(' '))], `${W}.matchConditions[0].expression: Required value`],
  ['a condition twice', [webhook(conditions('true', 'true'))], `${W}.matchConditions[1].expression: Duplicate value: "true"`],
  [
    'a condition of text',
    [webhook(conditions('request.user'))],
    `${W}.matchConditions[0].expression: Invalid value: "request.user": must evaluate to bool`,
  ],
  [
    'a condition that is none',
    [webhook(conditions('request.nobody'))],
    `${W}.matchConditions[0].expression: Invalid value: "request.nobody": compilation failed: ERROR: <input>:1:8: undefined field 'nobody'`,
  ],
  [
    'too many conditions',
    [webhook(conditions(...Array.from({ length: 65 }, (_, index) => `request.user == "${index}"`)))],
    `${W}.matchConditions: Too many: 65: must have at most 64 items`,
  ],
  ['fields of other types', [{ type: 1, name: {} }], 'a field is not of the type that it must have'],
];
for (const [what, authorizers, problem] of cases) {
  test(`authorizers with ${what} are ${problem === undefined ? 'taken' : `refused: ${problem}`}`, async () => {
    if (problem === undefined) {
      assert.equal((await parse(authorizers)).length, (authorizers as unknown[]).length);
      return;
    }
    await assert.rejects(parse(authorizers), (error: Error) => {
      assert.ok(error instanceof FlagError);
      assert.ok(error.message.startsWith(`authorization configuration "f" cannot be used: ${problem}`), error.message);
      return true;
    });
  });
}

test('several complaints are told at once', async () => {
  await assert.rejects(
    parse([{ type: 'RBAC' }, { type: 'Node' }]),
    /: \[authorizers\[0\].name: Required value, authorizers\[1\].name: Required value\]$/,
  );
});

test('an authorizer in the cluster needs a cluster', async () => {
  await assert.rejects(
    parse([webhook({ connectionInfo: { type: 'InClusterConfig' } })]),
    /unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined/,
  );
});

test('whatever the authorizers are, it is a FlagError or nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      await parse([value]).catch((error: unknown) => assert.ok(error instanceof FlagError, String(error)));
    }),
    { numRuns: 50 },
  );
});
