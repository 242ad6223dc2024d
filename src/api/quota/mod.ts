// SPDX-License-Identifier: Apache-2.0
// What quotas and limit ranges measure.
export { podLimits, podRequests } from './pod-amounts.ts';
export { isInQuotaScope, isOfQuota, missingAmounts, quotaUsageOf } from './usage.ts';
