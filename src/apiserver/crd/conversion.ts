// SPDX-License-Identifier: Apache-2.0
// Conversion between the versions of a custom resource: by name alone (`None`), or by a webhook that is sent a ConversionReview with
// as many objects as there are. Of the metadata a webhook may change labels and annotations only.
// @source upstream apiextensions-apiserver pkg/apiserver/conversion/webhook_converter.go
import { randomUUID } from 'node:crypto';
import { apiError, type DeepReadonly, deepCopy, deepEqual, type ObjectMeta } from '#machinery';
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

export function webhookConverter(post: Post): Converter {
  return {
    now: undefined,
    async all(objects, apiVersion) {
      const result = objects.map((object) => object as MutableObject);
      // What is in the version already needs no webhook.
      const foreign = objects.flatMap((object, index) => (object.apiVersion === apiVersion ? [] : [index]));
      if (foreign.length === 0) return result;
      const originals = foreign.map((index) => result[index] as MutableObject);
      const converted = await callWebhook(post, originals, apiVersion);
      for (const [place, index] of foreign.entries()) result[index] = converted[place] as MutableObject;
      return result;
    },
  };
}

async function callWebhook(post: Post, originals: readonly MutableObject[], apiVersion: string): Promise<MutableObject[]> {
  const [first] = originals;
  const of = `${first?.apiVersion}, Kind=${first?.kind}`;
  const uid = randomUUID();
  const request = { uid, desiredAPIVersion: apiVersion, objects: originals };
  let converted: readonly unknown[];
  try {
    converted = convertedObjects(await post({ kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1', request }), uid);
  } catch (error) {
    throw failure(`conversion webhook for ${of} failed: ${error instanceof Error ? error.message : String(error)}`, error);
  }
  if (converted.length !== originals.length) {
    throw failure(`conversion webhook for ${of} returned ${converted.length} objects, expected ${originals.length}`);
  }
  return originals.map((original, index) => {
    try {
      return checked(original, converted[index], apiVersion);
    } catch (error) {
      const where = originals.length === 1 ? 'invalid converted object' : `invalid converted object at index ${index}`;
      throw failure(`conversion webhook for ${of} returned ${where}: ${(error as Error).message}`, error);
    }
  });
}

function failure(message: string, cause?: unknown): Error {
  const error = apiError(500, '', message);
  if (cause !== undefined) error.cause = cause;
  return error;
}

/** @throws {Error} Where the review is no answer to the request. */
function convertedObjects(review: unknown, uid: string): readonly unknown[] {
  const {
    kind = '',
    apiVersion = '',
    response,
  } = (isRecord(review) ? review : {}) as {
    kind?: string;
    apiVersion?: string;
    response?: { uid?: string; convertedObjects?: unknown[]; result?: { status?: string; message?: string } };
  };
  if (kind !== 'ConversionReview' || apiVersion !== 'apiextensions.k8s.io/v1') {
    throw new Error(`expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got ${apiVersion || '/'}, Kind=${kind}`);
  }
  if (response === undefined || response === null) throw new Error('no response provided');
  if (response.uid !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  const { status = '', message = '' } = response.result ?? {};
  if (status !== 'Success') throw new Error(message !== '' ? message : `response.result.status was '${status}', not 'Success'`);
  return response.convertedObjects ?? [];
}

const FIXED = ['name', 'namespace', 'uid'] as const;
const NAMES = { name: 'name', namespace: 'namespace', uid: 'UID' } as const;

/** The converted object with the original's metadata, save for labels and annotations. @throws {Error} */
function checked(original: MutableObject, converted: unknown, apiVersion: string): MutableObject {
  if (!isRecord(converted)) throw new Error('invalid type: expected an object');
  const object = deepCopy(converted) as unknown as MutableObject;
  if (object.kind !== original.kind) throw new Error(`must have the same kind: ${object.kind} != ${original.kind}`);
  if (object.apiVersion !== apiVersion) throw new Error(`must have the same apiVersion: ${object.apiVersion} != ${apiVersion}`);
  const metadata: Partial<ObjectMeta> = isRecord(object.metadata) ? object.metadata : {};
  for (const name of FIXED) {
    const [now, before] = [metadata[name] ?? '', original.metadata[name] ?? ''];
    if (!deepEqual(now, before)) throw new Error(`must have the same ${NAMES[name]}: ${now} != ${before}`);
  }
  const { labels: _labels, annotations: _annotations, ...kept } = deepCopy(original.metadata) as ObjectMeta;
  const { labels, annotations } = metadata;
  object.metadata = {
    ...kept,
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  } as ObjectMeta;
  return object;
}
