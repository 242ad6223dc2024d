// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { validatingadmissionpolicies } from '#api';
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyStatus } from '#api/admissionregistration/v1';
import { startTestServer } from '../../_test-server.ts';

const POLICIES = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';

test('a policy whose expressions do not fit the resources it names says so in its status', async (t) => {
  await using api = await startTestServer();
  const stop = new AbortController();
  const running = api.server.runPolicyStatus(api.client, stop.signal);

  await api.send('POST', POLICIES, {
    body: {
      metadata: { name: 'odd' },
      spec: {
        matchConstraints: { resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['*'], resources: ['deployments'] }] },
        validations: [{ expression: 'object.replicas > 1' }],
      },
    },
  });
  const status = await seen(api.client.watch(validatingadmissionpolicies, { signal: t.signal }));

  stop.abort();
  await running;
  assert.match(status.typeChecking?.expressionWarnings?.[0]?.warning ?? '', /undefined field 'replicas'/);
});

/** The status once the controller has looked at the policy. */
async function seen(events: AsyncIterable<{ readonly object: unknown }>): Promise<ValidatingAdmissionPolicyStatus> {
  for await (const { object } of events) {
    const { status, metadata } = object as ValidatingAdmissionPolicy;
    if (status?.observedGeneration === metadata.generation) return status ?? {};
  }
  throw new Error('the watch ended');
}
