// SPDX-License-Identifier: Apache-2.0
// What tests of admission webhooks have in common: configurations, answers, requests.
import assert from 'node:assert/strict';
import type { TestServer } from '../../_test-server.ts';
import type { Received, TestWebhook } from '../../webhook-client/_test-webhook.ts';

export const GROUP = '/apis/admissionregistration.k8s.io/v1';
export const MAPS = '/api/v1/namespaces/default/configmaps';
export const EVERY_MAP = { apiGroups: [''], apiVersions: ['v1'], operations: ['*'], resources: ['configmaps'] };

export interface Setup {
  readonly name: string;
  readonly kind?: 'Mutating' | 'Validating';
  readonly webhook?: object;
}

/** Makes a configuration with one webhook. */
export async function configure(server: TestServer, { url, caBundle }: TestWebhook, { name, kind = 'Validating', webhook = {} }: Setup) {
  const { status, text } = await server.send('POST', `${GROUP}/${kind.toLowerCase()}webhookconfigurations`, {
    headers: { 'content-type': 'application/json' },
    body: {
      metadata: { name },
      webhooks: [
        {
          name: `${name}.example.com`,
          clientConfig: { url, caBundle },
          rules: [EVERY_MAP],
          sideEffects: 'None',
          admissionReviewVersions: ['v1'],
          ...webhook,
        },
      ],
    },
  });
  assert.equal(status, 201, text);
}

/** An answer to the request that came. */
export const review = ({ body }: Received, response: object) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: { uid: body.request.uid, allowed: true, ...response },
});

export const patchOf = (operations: readonly object[]) => ({
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});
export const label = (key: string, value: string) => patchOf([{ op: 'add', path: '/metadata/labels', value: { [key]: value } }]);
export const create = (server: TestServer, name: string, more: object = {}, query = '') =>
  server.send('POST', MAPS, { query, body: { metadata: { name }, ...more } });
