// SPDX-License-Identifier: Apache-2.0
// ValidatingAdmissionWebhook: all webhooks at once, since none changes anything; the first refusal in their order is the answer.
// @source upstream apiserver pkg/admission/plugin/webhook/validating/dispatcher.go
import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import { callWebhook, checkDeadline } from './call.ts';
import { conditionsAllow, type Invocation, MatchedRequest } from './invocation.ts';
import { isExempt } from './rules.ts';
import { runCall, type WebhookPluginDeps } from './running.ts';

export function validatingAdmissionWebhook(deps: WebhookPluginDeps): AdmissionPlugin {
  return {
    name: 'ValidatingAdmissionWebhook',
    handles: (request) => deps.source.current().length > 0 && !isExempt(request.resource),
    validate: (request) => dispatch(request, deps),
  };
}

async function dispatch(request: AdmissionRequest, deps: WebhookPluginDeps): Promise<void> {
  const matched = new MatchedRequest(request, deps);
  const relevant: Invocation[] = [];
  for (const webhook of deps.source.current()) {
    const invocation = matched.invocationOf(webhook);
    if (invocation === undefined) continue;
    await invocation.versioned.load();
    if (await conditionsAllow(invocation, { ...deps, type: 'validating' })) relevant.push(invocation);
  }
  if (relevant.length === 0) return;
  checkDeadline(request, deps.now());
  const outcomes = await Promise.allSettled(relevant.map((invocation, index) => callOne(invocation, index, deps)));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

function callOne(invocation: Invocation, index: number, deps: WebhookPluginDeps): Promise<void> {
  const { webhook, versioned } = invocation;
  const key = `failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`;
  return runCall(invocation, {
    deps,
    type: 'validating',
    work: async () => {
      await callWebhook(invocation, { isMutating: false, now: deps.now });
    },
    failedOpen: () => versioned.request.annotate?.(key, webhook.name),
  });
}
