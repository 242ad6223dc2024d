// SPDX-License-Identifier: Apache-2.0
// MutatingAdmissionWebhook: one webhook after the other, each seeing what the ones before have made of the object. A webhook that
// asked for it is called once more when the object changed after its turn.
// @source upstream apiserver pkg/admission/plugin/webhook/mutating/{dispatcher,reinvocationcontext}.go
import {
  type ApiError,
  applyJsonPatch,
  deepCopy,
  deepEqual,
  internalError,
  type JsonPatchOperation,
  parseJson,
  unmarshalError,
} from '#machinery';
import { type AdmissionPlugin, type AdmissionRequest, Reinvocation } from '../admission.ts';
import { CallingWebhookError, callWebhook } from './call.ts';
import { conditionsAllow, type Invocation, MatchedRequest } from './invocation.ts';
import { isExempt } from './rules.ts';
import { runCall, type WebhookPluginDeps } from './running.ts';

const NAME = 'MutatingAdmissionWebhook';

/** What is remembered between the two passes. */
interface Passes {
  /** Called so far, and willing to be called again. */
  readonly reinvocable: Set<string>;
  /** Those that have to be. */
  readonly again: Set<string>;
  /** The object as the last webhook left it. */
  lastOutput: unknown;
}

export function mutatingAdmissionWebhook(deps: WebhookPluginDeps): AdmissionPlugin {
  return {
    name: NAME,
    handles: (request) => deps.source.current().length > 0 && !isExempt(request.resource),
    admit: (request) => dispatch(request, deps),
  };
}

async function dispatch(request: AdmissionRequest, deps: WebhookPluginDeps): Promise<void> {
  const matched = new MatchedRequest(request, deps);
  const passes = passesOf(request);
  const isReinvoke = request.reinvocation?.isReinvoke === true;
  // The built-in plugins ran again, too: what they changed, the webhooks have not seen.
  if (isReinvoke && !deepEqual(passes.lastOutput, request.object)) requireReinvoking(passes);
  for (const [index, webhook] of deps.source.current().entries()) {
    const invocation = matched.invocationOf(webhook);
    if (invocation === undefined || (isReinvoke && !passes.again.has(webhook.id))) continue;
    await invocation.versioned.load();
    if (!(await conditionsAllow(invocation, { ...deps, type: 'admit' }))) continue;
    const changed = await callOne(invocation, { deps, round: isReinvoke ? 1 : 0, index });
    if (changed) {
      requireReinvoking(passes);
      ensureReinvocation(request).want();
    }
    if (webhook.mayReinvoke) passes.reinvocable.add(webhook.id);
  }
  if (passes.reinvocable.size > 0 || passes.again.size > 0) passes.lastOutput = deepCopy(request.object);
}

function ensureReinvocation(request: AdmissionRequest): Reinvocation {
  request.reinvocation ??= new Reinvocation();
  return request.reinvocation;
}

function passesOf(request: AdmissionRequest): Passes {
  const { state } = ensureReinvocation(request);
  let passes = state.get(NAME) as Passes | undefined;
  if (passes === undefined) {
    passes = { reinvocable: new Set(), again: new Set(), lastOutput: undefined };
    state.set(NAME, passes);
  }
  return passes;
}

function requireReinvoking({ reinvocable, again }: Passes): void {
  for (const id of reinvocable) again.add(id);
  reinvocable.clear();
}

interface Turn {
  readonly deps: WebhookPluginDeps;
  readonly round: number;
  readonly index: number;
}

/** @returns Whether the object changed. @throws {ApiError} Where the request ends here. */
async function callOne(invocation: Invocation, { deps, round, index }: Turn): Promise<boolean> {
  const { webhook, versioned } = invocation;
  const { request } = versioned;
  const place = `round_${round}_index_${index}`;
  let changed = false;
  const work = async () => {
    let applied: string | undefined;
    try {
      const { patch, patchType } = await callWebhook(invocation, { isMutating: true, now: deps.now });
      changed = patch !== undefined && (await applyPatch(invocation, patch, patchType));
      applied = patch;
    } finally {
      annotatePatch(invocation, place, changed, applied);
    }
  };
  const failedOpen = () => request.annotate?.(`failed-open.mutation.webhook.admission.k8s.io/${place}`, webhook.name);
  await runCall(invocation, { deps, type: 'admit', work, failedOpen });
  return changed;
}

function annotatePatch({ webhook, versioned }: Invocation, place: string, mutated: boolean, patch: string | undefined): void {
  const { request } = versioned;
  if (request.annotate === undefined) return;
  const who = { configuration: webhook.configuration, webhook: webhook.name };
  request.annotate(`mutation.webhook.admission.k8s.io/${place}`, JSON.stringify({ ...who, mutated }));
  if (!mutated || patch === undefined) return;
  const text = JSON.stringify({ ...who, patch: JSON.parse(patch) as unknown, patchType: 'JSONPatch' });
  request.annotate(`patch.webhook.admission.k8s.io/${place}`, text, 'Request');
}

/** @throws {ApiError | CallingWebhookError} */
async function applyPatch({ webhook, versioned }: Invocation, text: string, patchType: string): Promise<boolean> {
  const operations = decodePatch(webhook.name, text);
  if (operations.length === 0) return false;
  const { object } = versioned;
  if (object === undefined) {
    const why = `admission webhook ${JSON.stringify(webhook.name)} attempted to modify the object, which is not supported for this operation`;
    throw internalError(why);
  }
  if (patchType !== 'JSONPatch') throw new CallingWebhookError(webhook.name, `unsupported patch type ${JSON.stringify(patchType)}`);
  return internal(() => versioned.replaceObject(applyJsonPatch(object, operations)));
}

/** @throws {CallingWebhookError} */
function decodePatch(webhook: string, text: string): readonly JsonPatchOperation[] {
  try {
    return operationsOf(parseJson(text));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CallingWebhookError(webhook, `received undecodable patch in webhook response: ${why}`, { cause: error });
  }
}

/** What an operation says is looked at when it is applied. @throws {Error} In the words of Go's decoder. */
function operationsOf(patch: unknown): readonly JsonPatchOperation[] {
  if (patch === null) return [];
  if (!Array.isArray(patch)) throw new Error(unmarshalError(patch, 'jsonpatch.Patch'));
  for (const operation of patch) {
    if (typeof operation !== 'object' || Array.isArray(operation)) throw new Error(unmarshalError(operation, 'jsonpatch.Operation'));
  }
  return patch.map((operation: JsonPatchOperation | null) => operation ?? { op: 'unknown', path: '' });
}

/** What a patch does wrong is an internal error to the client, who has no part in it. */
async function internal<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw internalError(error instanceof Error ? error.message : String(error), error) satisfies ApiError;
  }
}
