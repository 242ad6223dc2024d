// SPDX-License-Identifier: Apache-2.0
// client: how components reach the API. Typed client over loopback or HTTPS, kubeconfig, informers and listers, the rate-limited
// work queue with its controller loop, leader election, the event recorder.
export * from './client.ts';
export * from './informer.ts';
export * from './transport.ts';
