// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { webhooksCauses, webhooksUpdateCauses } from './webhooks.ts';

const RULE = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] };
const WEBHOOK = {
  name: 'a.example.com',
  clientConfig: { url: 'https://x/y' },
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  rules: [RULE],
};
const causesOf = (...webhooks: object[]) =>
  webhooksCauses({ webhooks: webhooks.map((webhook) => ({ ...WEBHOOK, ...webhook })) as never }).map(
    ({ field, message }) => `${field}: ${message}`,
  );

test('webhooksCauses() names what is wrong in upstream words', async (t) => {
  const at = 'webhooks[0]';
  const cases: readonly (readonly [object, readonly string[]])[] = [
    [{}, []],
    [{ name: '' }, [`${at}.name: Required value`]],
    [{ clientConfig: {} }, [`${at}.clientConfig: Required value: exactly one of url or service is required`]],
    [
      { clientConfig: { url: 'http://x' } },
      [`${at}.clientConfig.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]`],
    ],
    [
      { clientConfig: { service: { name: '', namespace: 'n', port: 0, path: 'x' } } },
      [
        `${at}.clientConfig.service.name: Required value: service name is required`,
        `${at}.clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive`,
        `${at}.clientConfig.service.path: Invalid value: "x": must start with a '/'`,
        `${at}.clientConfig.service.path: Invalid value: "x": segment[0] may not be empty`,
      ],
    ],
    [
      { clientConfig: { service: { name: 's', namespace: 'n', path: '/a//b' } } },
      [`${at}.clientConfig.service.path: Invalid value: "/a//b": segment[1] may not be empty`],
    ],
    [
      { rules: [{ ...RULE, resources: ['*', 'pods'] }] },
      [`${at}.rules[0].resources: Invalid value: ["*","pods"]: if '*' is present, must not specify other resources without subresources`],
    ],
    [
      { rules: [{ ...RULE, resources: ['pods/*', 'pods/status'] }] },
      [`${at}.rules[0].resources[1]: Invalid value: "pods/status": if 'pods/*' is present, must not specify pods/status`],
    ],
    [{ rules: [{ ...RULE, apiVersions: [''] }] }, [`${at}.rules[0].apiVersions[0]: Required value`]],
    [{ reinvocationPolicy: 'Always' }, [`${at}.reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never"`]],
    [
      { matchConditions: [{ name: '', expression: ' ' }] },
      [`${at}.matchConditions[0].expression: Required value`, `${at}.matchConditions[0].name: Required value`],
    ],
    [{ admissionReviewVersions: ['v1', 'v1'] }, [`${at}.admissionReviewVersions[1]: Invalid value: "v1": duplicate version`]],
    [
      { admissionReviewVersions: ['v2'] },
      [`${at}.admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1`],
    ],
    [
      { admissionReviewVersions: ['v1', '1.0'] },
      [
        `${at}.admissionReviewVersions[1]: Invalid value: "1.0": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
      ],
    ],
  ];
  for (const [webhook, expected] of cases) await t.test(JSON.stringify(webhook), () => assert.deepEqual(causesOf(webhook), expected));
});

test('the URL of a webhook is read as Go reads it', async (t) => {
  const form = '; desired format: https://host[/path]';
  const noHost = `Invalid value: "": host must be specified${form}`;
  const invalid = (why: string) => `Required value: url must be a valid URL: ${why}${form}`;
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['https://[::1]:8443/a/b', []],
    ['HTTPS://x', []],
    ['https:///path', [noHost]],
    ['https:x/path', [noHost]],
    ['', [`Invalid value: "": 'https' is the only allowed URL scheme${form}`, noHost]],
    ['https://u:p@x', ['Invalid value: "u:p": user information is not permitted in the URL']],
    ['https://x/y#', []],
    [
      'https://x?a=b#c',
      ['Invalid value: "c": fragments are not permitted in the URL', 'Invalid value: "a=b": query parameters are not permitted in the URL'],
    ],
    ['x:y/z:80', [`Invalid value: "x": 'https' is the only allowed URL scheme${form}`, noHost]],
    ['1.2.3.4:80', [invalid('parse "1.2.3.4:80": first path segment in URL cannot contain colon')]],
    ['://x', [invalid('parse "://x": missing protocol scheme')]],
    ['https://x:y', [invalid('parse "https://x:y": invalid port ":y" after host')]],
    ['https://a b', [invalid('parse "https://a b": invalid character " " in host name')]],
    ['https://[::1', [invalid(`parse "https://[::1": missing ']' in host`)]],
    ['https://x/%zz', [invalid('parse "https://x/%zz": invalid URL escape "%zz"')]],
    ['https://a\n', [invalid('parse "https://a\\n": net/url: invalid control character in URL')]],
  ];
  for (const [url, expected] of cases) {
    const at = 'webhooks[0].clientConfig.url: ';
    await t.test(url, () =>
      assert.deepEqual(
        causesOf({ clientConfig: { url } }),
        expected.map((line) => at + line),
      ),
    );
  }
});

test('names and conditions occur once, and conditions are at most 64', () => {
  assert.deepEqual(causesOf({}, {}), ['webhooks[1].name: Duplicate value: "a.example.com"']);
  const condition = { name: 'c', expression: 'true' };
  assert.deepEqual(causesOf({ matchConditions: [condition, condition] }), ['webhooks[0].matchConditions[1].name: Duplicate value: "c"']);
  const many = Array.from({ length: 65 }, (_, index) => ({ ...condition, name: `c${index}` }));
  assert.deepEqual(causesOf({ matchConditions: many }), ['webhooks[0].matchConditions: Too many: 65: must have at most 64 items']);
});

test('an update may keep what was wrong before', () => {
  const twice = { webhooks: [WEBHOOK, WEBHOOK] } as never;
  assert.deepEqual(webhooksUpdateCauses(twice, twice), []);
});
