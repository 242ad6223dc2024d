// SPDX-License-Identifier: Apache-2.0
// client: how components reach the API. Typed client over loopback or HTTPS, kubeconfig, informers and listers, the rate-limited
// work queue with its controller loop, leader election, the event recorder.
export * from './answer.ts';
export * from './api-client.ts';
export * from './backoff.ts';
export * from './cache.ts';
export * from './client.ts';
export * from './client-config.ts';
export * from './component-client.ts';
export * from './controller.ts';
export * from './event-recorder.ts';
export * from './https.ts';
export * from './informer.ts';
export * from './informers.ts';
export * from './json-lines.ts';
export * from './kubeconfig.ts';
export * from './leader-election.ts';
export * from './paths.ts';
export * from './reflector.ts';
export * from './transport.ts';
export * from './work-queue.ts';
