// SPDX-License-Identifier: Apache-2.0
// scheduler: kube-scheduler with upstream's framework and default profile. queue/ decides who is next, plugins/ where it fits best,
// preemption/ who must go for it, cache/ keeps the picture of the cluster. Extenders, profiles and permit plugins are not there.
export { runSchedulerCommand } from './command.ts';
export { runScheduler, type SchedulerOptions } from './run.ts';
