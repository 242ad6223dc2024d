// SPDX-License-Identifier: Apache-2.0
// webhook-client: calls HTTPS callbacks that users configure: admission and conversion webhooks by `url` or `service`, audit,
// authentication and authorization webhooks by a kubeconfig file. Knows nothing of what is sent.

export { connectionFailure, WebhookCallError } from './failure.ts';
export { RETRY_MS, retried } from './retry.ts';
export { inClusterTarget, kubeconfigTarget, type WebhookTarget } from './target.ts';
export { createWebhookClient, type PostOptions, type WebhookClient, type WebhookClientDeps } from './webhook-client.ts';
