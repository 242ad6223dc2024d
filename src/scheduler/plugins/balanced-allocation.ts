// SPDX-License-Identifier: Apache-2.0
// NodeResourcesBalancedAllocation: prefers nodes whose CPU and memory would be used to the same share. Pods that ask for nothing do
// not unbalance anything and are not scored.
import { MAX_SCORE, type Plugin } from '../framework/plugin.ts';

export const balancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  preScore: (_state, { requests }) => requests.milliCpu > 0 || requests.memory > 0,
  score(_state, pod, { allocatable, requested }) {
    const shares: number[] = [];
    if (allocatable.milliCpu > 0) shares.push(Math.min(1, (requested.milliCpu + pod.requests.milliCpu) / allocatable.milliCpu));
    if (allocatable.memory > 0) shares.push(Math.min(1, (requested.memory + pod.requests.memory) / allocatable.memory));
    const [cpu = 0, memory = cpu] = shares;
    return Math.floor((1 - Math.abs(cpu - memory) / 2) * MAX_SCORE);
  },
};
