// SPDX-License-Identifier: Apache-2.0
// Conversion between the versions of a custom resource: by name alone (`None`), or by a webhook that is sent a ConversionReview with
// as many objects as there are. Of the metadata a webhook may change labels and annotations only.
// @source upstream apiextensions-apiserver pkg/apiserver/conversion/webhook_converter.go
import { randomUUID } from 'node:crypto';
import { validateObjectMeta } from '#api';
import { apiError, type DeepReadonly, deepCopy, deepEqual, type FieldCause, type ObjectMeta } from '#machinery';
import type { MutableObject } from '../registry/strategy.ts';
import { isRecord } from './schema-props.ts';

type Stored = DeepReadonly<MutableObject>;

/** Turns objects of any of the versions into one of them. */
export interface Converter {
  /** At once; undefined where it takes a webhook. Makes a new object. */
  readonly now: ((object: Stored, apiVersion: string) => MutableObject) | undefined;
  /** @throws {ApiError} 500 If the webhook fails. */
  all(objects: readonly Stored[], apiVersion: string): Promise<MutableObject[]>;
}

/** Versions differ by their name alone. */
export const noConverter: Converter = {
  now: renamed,
  all: async (objects, apiVersion) => objects.map((object) => renamed(object, apiVersion)),
};

function renamed(object: Stored, apiVersion: string): MutableObject {
  return { ...(object as MutableObject), apiVersion };
}

/** Sends a ConversionReview and brings back what came. */
export type Post = (review: object) => Promise<unknown>;

/** Told of each call: between which versions, and what came of it. */
export type ObserveConversion = (from: string, to: string, succeeded: boolean, seconds: number) => void;

const GROUP = 'apiextensions.k8s.io';
const REVIEWS: readonly string[] = ['v1', 'v1beta1'];

/** @param reviewVersions What the webhook understands: the first that the server does is sent. */
export function webhookConverter(post: Post, reviewVersions: readonly string[] = REVIEWS, observe?: ObserveConversion): Converter {
  const review = reviewVersions.find((version) => REVIEWS.includes(version)) ?? '';
  return {
    now: undefined,
    async all(objects, apiVersion) {
      const result = objects.map((object) => object as MutableObject);
      // What is in the version already needs no webhook.
      const foreign = objects.flatMap((object, index) => (object.apiVersion === apiVersion ? [] : [index]));
      if (foreign.length === 0) return result;
      const originals = foreign.map((index) => result[index] as MutableObject);
      const converted = await observed(
        () => callWebhook(post, originals, apiVersion, review),
        originals[0]?.apiVersion,
        apiVersion,
        observe,
      );
      for (const [place, index] of foreign.entries()) result[index] = converted[place] as MutableObject;
      return result;
    },
  };
}

async function observed<T>(
  call: () => Promise<T>,
  from: string | undefined,
  to: string,
  observe: ObserveConversion | undefined,
): Promise<T> {
  if (observe === undefined) return call();
  const versionIn = (apiVersion = '') => apiVersion.slice(apiVersion.indexOf('/') + 1);
  const start = performance.now();
  const tell = (succeeded: boolean) => observe(versionIn(from), versionIn(to), succeeded, (performance.now() - start) / 1_000);
  try {
    const result = await call();
    tell(true);
    return result;
  } catch (error) {
    tell(false);
    throw error;
  }
}

/** What upstream sends beside the request: the answer's form, not yet filled in. */
const NO_RESPONSE = { uid: '', convertedObjects: null, result: { metadata: {} } };

async function callWebhook(post: Post, originals: readonly MutableObject[], apiVersion: string, version: string): Promise<MutableObject[]> {
  const [first] = originals;
  const of = `conversion for ${first?.apiVersion}, Kind=${first?.kind}`;
  const converted = await answered(post, originals, apiVersion, version).catch((error: unknown) => {
    throw failure(`${of} failed: ${error instanceof Error ? error.message : String(error)}`, error);
  });
  if (converted.length !== originals.length) throw failure(`${of} returned ${converted.length} objects, expected ${originals.length}`);
  return originals.map((original, index) => checked(original, converted[index], apiVersion, `${of} returned invalid`));
}

/** @throws {Error} */
async function answered(post: Post, objects: readonly MutableObject[], desiredAPIVersion: string, version: string) {
  if (version === '') throw new Error('no supported conversion review versions');
  const uid = randomUUID();
  const request = { uid, desiredAPIVersion, objects };
  try {
    const answer = await post({ kind: 'ConversionReview', apiVersion: `${GROUP}/${version}`, request, response: NO_RESPONSE });
    return convertedObjects(answer, version === 'v1' ? uid : undefined);
  } catch (error) {
    // The list that upstream sends has no kind of its own.
    throw new Error(`conversion webhook for /, Kind= failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function failure(message: string, cause?: unknown): Error {
  const error = apiError(500, '', message);
  if (cause !== undefined) error.cause = cause;
  return error;
}

interface Answer {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly response?: {
    readonly uid?: string;
    readonly convertedObjects?: unknown[];
    readonly result?: { readonly status?: string; readonly message?: string };
  } | null;
}

/** @param uid What the answer must repeat; undefined for v1beta1, which never asked for that. @throws {Error} If it is no answer to the request. */
function convertedObjects(review: unknown, uid: string | undefined): readonly unknown[] {
  const { kind = '', apiVersion = '', response }: Answer = isRecord(review) ? review : {};
  if (uid !== undefined && (kind !== 'ConversionReview' || apiVersion !== `${GROUP}/v1`)) {
    throw new Error(`expected webhook response of ${GROUP}/v1, Kind=ConversionReview, got ${apiVersion || '/'}, Kind=${kind}`);
  }
  if (response === undefined || response === null) throw new Error('no response provided');
  if (uid !== undefined && response.uid !== uid)
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  const { status = '', message = '' } = response.result ?? {};
  if (status !== 'Success') throw new Error(message !== '' ? message : `response.result.status was '${status}', not 'Success'`);
  return response.convertedObjects ?? [];
}

/** Upstream asks for one object at a time, and counts from one. */
const PLACE = 'converted object at index 1';
const FIXED = { name: 'name', namespace: 'namespace', uid: 'UID' } as const;

/** The converted object with the original's metadata, save for labels and annotations. @throws {ApiError} 500 */
function checked(original: MutableObject, converted: unknown, apiVersion: string, what: string): MutableObject {
  const object = (isRecord(converted) ? deepCopy(converted) : {}) as unknown as MutableObject;
  const [version, kind] = [object.apiVersion ?? '', object.kind ?? ''];
  if (version !== apiVersion) throw failure(`${what} ${PLACE}: invalid groupVersion (expected ${apiVersion}, received ${version || '/'})`);
  if (kind !== original.kind) throw failure(`${what} ${PLACE}: invalid kind (expected ${original.kind}, received ${kind})`);
  const { metadata } = object as { metadata?: unknown };
  const found: Partial<ObjectMeta> = isRecord(metadata) ? metadata : {};
  for (const [name, shown] of Object.entries(FIXED)) {
    const [before, now] = [original.metadata[name as keyof typeof FIXED] ?? '', found[name as keyof typeof FIXED] ?? ''];
    if (before !== now) throw failure(`${what} ${PLACE}: must have the same ${shown}: ${before} != ${now}`);
  }
  try {
    object.metadata = restored(original.metadata, metadata);
  } catch (error) {
    throw failure(`${what} metadata in object at index 1: ${(error as Error).message}`, error);
  }
  return object;
}

/** @throws {Error} */
function restored(original: ObjectMeta, converted: unknown): ObjectMeta {
  if (converted === undefined) throw new Error('missing metadata in converted object');
  if (!isRecord(converted)) throw new Error(`invalid metadata of type ${goTypeOf(converted)} in converted object`);
  const result = deepCopy(original) as ObjectMeta;
  for (const name of ['labels', 'annotations'] as const) {
    const texts = converted[name];
    if (texts === undefined || texts === null) delete result[name];
    else result[name] = checkedTexts(texts, name, original[name]);
  }
  return result;
}

function checkedTexts(
  texts: unknown,
  name: 'labels' | 'annotations',
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  if (!isRecord(texts)) throw new Error(`invalid metadata.${name} of type ${goTypeOf(texts)} in converted object`);
  for (const [key, value] of Object.entries(texts)) {
    if (typeof value !== 'string')
      throw new Error(`metadata.${name}[${key}] must be a string, but is ${goTypeOf(value)} in converted object`);
  }
  // What was wrong before may stay.
  const causes = deepEqual(texts, before) ? [] : textCauses({ name: 'converted', [name]: texts } as unknown as ObjectMeta);
  const problems = causes.map(({ field, message }) => `${field.replace('metadata.annotations', 'metadata.annotation')}: ${message}`);
  if (problems.length > 0) throw new Error(problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`);
  return texts as Record<string, string>;
}

function textCauses(metadata: ObjectMeta): readonly FieldCause[] {
  return validateObjectMeta(metadata, { namespaced: false, nameRule: () => [], standardFinalizers: false });
}

/** As Go names the types that JSON has. */
function goTypeOf(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64';
  return typeof value === 'boolean' ? 'bool' : 'string';
}
