// SPDX-License-Identifier: Apache-2.0
// SetDefaults of admissionregistration.k8s.io/v1: webhooks and CEL policies.
import { setPointer, structAt } from '../defaulting.ts';
import type {
  MatchResources,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  Rule,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
} from '../generated/admissionregistration/v1.ts';
import { defaultServicePort } from '../networking/defaults.ts';

function defaultRules(rules: readonly Rule[] | undefined): void {
  for (const rule of rules ?? []) setPointer(rule, 'scope', '*');
}

type Webhook = Pick<
  ValidatingWebhook,
  'failurePolicy' | 'matchPolicy' | 'namespaceSelector' | 'objectSelector' | 'timeoutSeconds' | 'clientConfig' | 'rules'
>;

function defaultWebhook(webhook: Webhook): void {
  setPointer(webhook, 'failurePolicy', 'Fail');
  setPointer(webhook, 'matchPolicy', 'Equivalent');
  structAt(webhook, 'namespaceSelector');
  structAt(webhook, 'objectSelector');
  setPointer(webhook, 'timeoutSeconds', 10);
  defaultServicePort(webhook.clientConfig?.service);
  defaultRules(webhook.rules);
}

export function defaultValidatingWebhooks(object: ValidatingWebhookConfiguration): void {
  for (const webhook of object.webhooks ?? []) defaultWebhook(webhook);
}

export function defaultMutatingWebhooks(object: MutatingWebhookConfiguration): void {
  for (const webhook of object.webhooks ?? []) {
    defaultWebhook(webhook);
    setPointer(webhook, 'reinvocationPolicy', 'Never');
  }
}

function defaultMatchResources(match: MatchResources | undefined): void {
  if (!match) return;
  setPointer(match, 'matchPolicy', 'Equivalent');
  structAt(match, 'namespaceSelector');
  structAt(match, 'objectSelector');
  defaultRules(match.resourceRules);
  defaultRules(match.excludeResourceRules);
}

export function defaultAdmissionPolicy(policy: ValidatingAdmissionPolicy | MutatingAdmissionPolicy): void {
  const spec = structAt(policy, 'spec') as (ValidatingAdmissionPolicy | MutatingAdmissionPolicy)['spec'];
  setPointer(spec, 'failurePolicy', 'Fail');
  defaultMatchResources(spec.matchConstraints);
}

export function defaultAdmissionPolicyBinding(binding: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding): void {
  defaultMatchResources(binding.spec?.matchResources);
}
