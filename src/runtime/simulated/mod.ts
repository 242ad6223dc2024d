// SPDX-License-Identifier: Apache-2.0
// The simulated runtime: containers that only exist in memory, thousands per process.
export { createSimulatedRuntime, type SimulatedRuntime, type SimulatedRuntimeOptions } from './simulated-runtime.ts';
