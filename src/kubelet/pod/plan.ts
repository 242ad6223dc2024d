// SPDX-License-Identifier: Apache-2.0
// What a Pod needs next: a pure function of the Pod, what the runtime has of it, probe verdicts and crash back-offs. It follows
// upstream's computePodActions (pkg/kubelet/kuberuntime/kuberuntime_manager.go): sandbox first, init containers and sidecars
// in order, then the main containers. It never acts and never looks at a clock but for the back-offs handed in.
import type { Container, Sandbox } from '#runtime';
import { factsOf, hashOf } from '../container/labels.ts';
import { type ContainerKind, type ContainerSpec, type EphemeralSpec, isSidecar, type PodView } from './pod.ts';
import { isAlive, latest, type PodRuntime } from './pod-runtime.ts';
import { restartsAfterKill, shouldRestart } from './restart-rule.ts';

export type Verdict = 'success' | 'failure' | 'unknown';

export interface PlanInput {
  readonly pod: PodView;
  readonly runtime: PodRuntime;
  liveness(containerId: string): Verdict;
  startup(containerId: string): Verdict;
  /** Whether the container counts as started: running, startup probe passed. */
  started(containerId: string): boolean;
  /** When the crash back-off of a container that ended at `finishedAt` is over; undefined: now. */
  crashWait(spec: ContainerSpec, finishedAt: number): number | undefined;
}

export interface KillStep {
  readonly container: Container;
  readonly spec: ContainerSpec | EphemeralSpec;
  readonly message: string;
  /** Of the failed probe, if it has one. */
  readonly graceSeconds: number | undefined;
}

export interface StartStep {
  readonly spec: ContainerSpec | EphemeralSpec;
  readonly kind: ContainerKind;
  readonly restartCount: number;
}

export interface CrashWait {
  readonly spec: ContainerSpec;
  readonly until: number;
}

export interface Plan {
  /** Stop all that is left, the sandbox too: it is unusable, or nothing will ever run again. */
  readonly stopSandbox: boolean;
  /** The attempt number of the sandbox to make, if one is needed. */
  readonly createSandbox: number | undefined;
  readonly sandbox: Sandbox | undefined;
  readonly kill: readonly KillStep[];
  readonly start: readonly StartStep[];
  readonly waiting: readonly CrashWait[];
  /** Nothing runs and nothing will. */
  readonly finished: boolean;
}

interface Draft {
  kill: KillStep[];
  start: StartStep[];
  waiting: CrashWait[];
  keep: number;
  failed: boolean;
}

export function planPod(input: PlanInput): Plan {
  const { pod, runtime } = input;
  const sandbox = usableSandbox(pod, runtime);
  const scope = sandbox === undefined ? undefined : within(runtime, sandbox.id);
  const draft: Draft = { kill: [], start: [], waiting: [], keep: 0, failed: false };
  planEphemeral(input, sandbox, draft);
  const initialized = planInit(input, scope, draft);
  if (initialized && !draft.failed) planMains(input, scope, draft);
  const finished = draft.failed || (initialized && draft.keep === 0 && nothingToStart(pod, draft));
  if (finished) return { ...EMPTY, sandbox, stopSandbox: true, finished: true };
  if (sandbox !== undefined) return { ...draft, sandbox, stopSandbox: false, createSandbox: undefined, finished: false };
  const wantsSandbox = draft.start.length > 0;
  const attempt = runtime.sandboxes.length === 0 ? 0 : (runtime.sandboxes[0]?.metadata.attempt ?? 0) + 1;
  return {
    ...draft,
    sandbox: undefined,
    stopSandbox: runtime.sandboxes.length > 0 && wantsSandbox,
    createSandbox: wantsSandbox ? attempt : undefined,
    finished: false,
  };
}

const EMPTY: Omit<Plan, 'sandbox' | 'stopSandbox' | 'finished'> = { createSandbox: undefined, kill: [], start: [], waiting: [] };

/** Sidecars do not keep a Pod alive: only mains count. */
function nothingToStart(pod: PodView, draft: Draft): boolean {
  const mains = new Set(pod.spec.containers.map((container) => container.name));
  return !draft.start.some((step) => mains.has(step.spec.name)) && !draft.waiting.some((wait) => mains.has(wait.spec.name));
}

/** The one sandbox that is ready and has an address, unless it must be made anew. */
function usableSandbox(pod: PodView, runtime: PodRuntime): Sandbox | undefined {
  const ready = runtime.sandboxes.filter((sandbox) => sandbox.state === 'ready');
  const first = runtime.sandboxes[0];
  if (first === undefined || ready.length !== 1 || first.state !== 'ready') return undefined;
  if (pod.spec.hostNetwork !== true && first.ips.length === 0) return undefined;
  return first;
}

/** Only the containers of one sandbox: those of earlier ones say nothing about what must run now. */
function within(runtime: PodRuntime, sandboxId: string): PodRuntime {
  const byName = new Map<string, readonly Container[]>();
  for (const [name, containers] of runtime.byName) {
    const here = containers.filter((container) => container.sandboxId === sandboxId);
    if (here.length > 0) byName.set(name, here);
  }
  return { ...runtime, byName };
}

function planEphemeral({ pod, runtime }: PlanInput, sandbox: Sandbox | undefined, draft: Draft): void {
  if (sandbox === undefined) return; // They join a running Pod; they never start one.
  for (const spec of pod.spec.ephemeralContainers ?? []) {
    if (latest(runtime, spec.name) === undefined) draft.start.push({ spec, kind: 'ephemeral', restartCount: 0 });
  }
}

/** @returns Whether the main containers may be looked at. */
function planInit(input: PlanInput, scope: PodRuntime | undefined, draft: Draft): boolean {
  const specs = input.pod.spec.initContainers ?? [];
  const mainsExist = scope !== undefined && input.pod.spec.containers.some((spec) => latest(scope, spec.name) !== undefined);
  if (scope === undefined && !wantsAnyMain(input)) return true;
  for (const spec of specs) {
    const here = scope === undefined ? undefined : latest(scope, spec.name);
    const done = isSidecar(spec)
      ? planSidecar(input, { spec, here }, draft)
      : mainsExist || planInitContainer(input, { spec, here }, draft);
    if (draft.failed) return false;
    if (!done && !mainsExist) return false;
  }
  return true;
}

/** Whether, with all of a Pod's sandboxes gone, some main container has work left. */
function wantsAnyMain({ pod, runtime }: PlanInput): boolean {
  return pod.spec.containers.some((spec) => mayStart(pod, spec, latest(runtime, spec.name)));
}

interface Subject<Spec = ContainerSpec> {
  readonly spec: Spec;
  readonly here: Container | undefined;
}

/** @returns Whether it is done. */
function planInitContainer(input: PlanInput, { spec, here }: Subject, draft: Draft): boolean {
  if (here?.state === 'running') return false;
  if (here?.state === 'exited' && here.exitCode === 0) return true;
  if (here?.state === 'exited' && !shouldRestart(input.pod, spec, here)) {
    draft.failed = true;
    return false;
  }
  if (here?.state === 'unknown') draft.kill.push({ container: here, spec, message: unknownText(spec), graceSeconds: undefined });
  startOrWait(input, { spec, kind: 'init', last: here ?? latest(input.runtime, spec.name) }, draft, here !== undefined);
  return false;
}

/** @returns Whether the next may begin. */
function planSidecar(input: PlanInput, { spec, here }: Subject, draft: Draft): boolean {
  if (here?.state === 'running') {
    const kill = reasonToKill(input, spec, here);
    if (kill === undefined) return input.started(here.id);
    draft.kill.push(kill);
    draft.start.push({ spec, kind: 'sidecar', restartCount: nextCount(input, spec) });
    return false;
  }
  startOrWait(input, { spec, kind: 'sidecar', last: here ?? latest(input.runtime, spec.name) }, draft, here !== undefined);
  return false;
}

function planMains(input: PlanInput, scope: PodRuntime | undefined, draft: Draft): void {
  for (const spec of input.pod.spec.containers) {
    const here = scope === undefined ? undefined : latest(scope, spec.name);
    if (here?.state === 'running') planRunning(input, { spec, here }, draft);
    else planStopped(input, { spec, here }, draft);
  }
}

function planRunning(input: PlanInput, { spec, here }: { spec: ContainerSpec; here: Container }, draft: Draft): void {
  draft.keep += 1;
  const kill = reasonToKill(input, spec, here);
  if (kill === undefined) return;
  draft.kill.push(kill);
  if (restartsAfterKill(input.pod, spec)) draft.start.push({ spec, kind: 'main', restartCount: nextCount(input, spec) });
}

function planStopped(input: PlanInput, { spec, here }: Subject, draft: Draft): void {
  const last = here ?? latest(input.runtime, spec.name);
  if (!mayStart(input.pod, spec, last)) return;
  if (here?.state === 'unknown') draft.kill.push({ container: here, spec, message: unknownText(spec), graceSeconds: undefined });
  startOrWait(input, { spec, kind: 'main', last }, draft, here !== undefined);
}

/** An instance that still lived when its sandbox went counts as failed, whatever the policy but Never. */
function mayStart(pod: PodView, spec: ContainerSpec, last: Container | undefined): boolean {
  if (last !== undefined && isAlive(last) && last.state === 'running') return restartsAfterKill(pod, spec);
  return shouldRestart(pod, spec, last);
}

function startOrWait(
  input: PlanInput,
  { spec, kind, last }: { spec: ContainerSpec; kind: ContainerKind; last: Container | undefined },
  draft: Draft,
  sameSandbox: boolean,
): void {
  const until = sameSandbox && last?.state === 'exited' ? input.crashWait(spec, last.finishedAt ?? 0) : undefined;
  if (until !== undefined) draft.waiting.push({ spec, until });
  else draft.start.push({ spec, kind, restartCount: last === undefined ? 0 : factsOf(last).restartCount + 1 });
}

function nextCount({ runtime }: PlanInput, spec: ContainerSpec): number {
  const last = latest(runtime, spec.name);
  return last === undefined ? 0 : factsOf(last).restartCount + 1;
}

const unknownText = (spec: ContainerSpec) => `Container ${spec.name} is in unknown state, try killing it before restart`;

function reasonToKill(input: PlanInput, spec: ContainerSpec, container: Container): KillStep | undefined {
  const again = restartsAfterKill(input.pod, spec) ? ', will be restarted' : '';
  const step = (message: string, graceSeconds?: number): KillStep => ({ container, spec, message, graceSeconds });
  const known = factsOf(container).hash;
  if (known !== '' && known !== hashOf(spec)) return step(`Container ${spec.name} definition changed${again}`);
  if (input.liveness(container.id) === 'failure') {
    return step(`Container ${spec.name} failed liveness probe${again}`, spec.livenessProbe?.terminationGracePeriodSeconds);
  }
  if (input.startup(container.id) === 'failure') {
    return step(`Container ${spec.name} failed startup probe${again}`, spec.startupProbe?.terminationGracePeriodSeconds);
  }
  return undefined;
}
