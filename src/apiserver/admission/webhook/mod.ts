// SPDX-License-Identifier: Apache-2.0
// admission/webhook: MutatingAdmissionWebhook and ValidatingAdmissionWebhook. Configurations are compiled when they change
// (configurations.ts), matched (rules.ts, invocation.ts), called (call.ts) and dispatched in order (mutating.ts) or at once
// (validating.ts).
export { celAuthorizer } from './cel-authorizer.ts';
export { createWebhookPlugins, equivalentsIn, type WebhookPlugins, type WebhookPluginsOptions } from './plugins.ts';
export { WebhookMetrics } from './webhook-metrics.ts';
