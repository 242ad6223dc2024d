// SPDX-License-Identifier: Apache-2.0
// Admission webhooks against a real API server process: a webhook behind a Service, over TLS by its caBundle, seen through kubectl.
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { bodyOf, sendJson, startHttpsServer, type TestHttpsServer } from './_extension/https-server.ts';
import { ControlPlane, kubectlSuite, serviceFor } from './control-plane.ts';

interface AdmissionRequest {
  readonly uid: string;
  readonly operation: string;
  readonly object: { readonly metadata: { readonly labels?: Record<string, string> } } | null;
}

/** `/mutate` labels what is made; `/validate` refuses what is labelled `forbidden`, and warns of everything else. */
async function admit(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { request: asked } = JSON.parse(await bodyOf(request)) as { request: AdmissionRequest };
  const labels = asked.object?.metadata.labels ?? {};
  const patch = [{ op: 'add', path: '/metadata/labels', value: { ...labels, seen: 'yes' } }];
  const answer = request.url?.startsWith('/mutate')
    ? { allowed: true, patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
    : labels['forbidden'] === undefined
      ? { allowed: true, warnings: [`${asked.operation} was looked at`] }
      : { allowed: false, status: { code: 403, reason: 'Forbidden', message: 'it is labelled forbidden' } };
  sendJson(response, 200, { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: asked.uid, ...answer } });
}

describe(...kubectlSuite('admission webhooks'), () => {
  let api: ControlPlane;
  let hook: TestHttpsServer;
  const configuration = (kind: string, path: string, more: object = {}) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: `${kind}WebhookConfiguration`,
    metadata: { name: 'guard' },
    webhooks: [
      {
        name: 'guard.example.com',
        clientConfig: { service: { name: 'guard', namespace: 'default', port: hook.port, path }, caBundle: hook.caBundle },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE', 'DELETE'], resources: ['configmaps'] }],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        ...more,
      },
    ],
  });
  before(async () => {
    api = await ControlPlane.start();
    hook = await startHttpsServer({ dnsNames: ['guard.default.svc'], handle: (request, response) => void admit(request, response) });
    await api.apply(serviceFor('guard', 'default'), configuration('Mutating', '/mutate'), configuration('Validating', '/validate'));
  });
  after(async () => {
    await hook?.[Symbol.asyncDispose]();
    await api?.[Symbol.asyncDispose]();
  });

  test('an object is changed by one and let through by the other, with a warning', async () => {
    const { stdout, stderr } = await api.tryKubectl(['create', 'configmap', 'plain', '-o', 'jsonpath={.metadata.labels.seen}']);
    assert.equal(stdout, 'yes');
    assert.match(stderr, /Warning: CREATE was looked at/);
  });

  test('a denial is shown as the webhook gives it', async () => {
    const { code, stderr } = await api.tryKubectl(['label', 'configmap', 'plain', 'forbidden=1']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /Error from server \(Forbidden\): admission webhook "guard.example.com" denied the request: it is labelled forbidden/,
    );
  });

  test('match conditions keep requests from a webhook', async () => {
    const name = { name: 'not-exempt', expression: "object.metadata.name != 'exempt'" };
    await api.apply(configuration('Mutating', '/mutate', { matchConditions: [name] }));
    const seen = (text: string) => api.kubectl('create', 'configmap', text, '-o', 'jsonpath={.metadata.labels.seen}');
    assert.equal(await seen('exempt'), '');
    assert.equal(await seen('usual'), 'yes');
  });

  test('a match condition that does not compile is refused', async () => {
    const broken = configuration('Validating', '/validate', { matchConditions: [{ name: 'x', expression: 'nope' }] });
    await assert.rejects(api.apply(broken), /undeclared reference to 'nope'/);
  });

  test('a webhook that is gone fails closed or open, as its policy says', async () => {
    await hook[Symbol.asyncDispose]();
    const closed = await api.tryKubectl(['create', 'configmap', 'closed']);
    assert.match(
      closed.stderr,
      /failed calling webhook "guard.example.com": failed to call webhook: Post "https:\/\/guard.default.svc:\d+\/mutate\?timeout=10s"/,
    );
    const open = { failurePolicy: 'Ignore' };
    await api.apply(configuration('Mutating', '/mutate', open), configuration('Validating', '/validate', open));
    assert.equal(await api.kubectl('create', 'configmap', 'open', '-o', 'name'), 'configmap/open');
  });
});
