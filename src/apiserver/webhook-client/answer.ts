// SPDX-License-Identifier: Apache-2.0
// What upstream's client makes of an answer: the object in a success, and words for everything else.
// @source client-go rest/request.go transformResponse, apimachinery errors NewGenericServerResponse, serializer/json
import { JsonSyntaxError, objectOf, parseJsonObject, parseYaml } from '#machinery';

/** The object in the body of a success: JSON, or YAML where it does not begin as JSON does. @throws {Error} In upstream's words. */
export function parseAnswer(text: string, status: number, contentType: string): Record<string, unknown> {
  if (text === '') throw new Error(`0-length response with status code: ${status} and content type: ${contentType}`);
  try {
    return text.trimStart().startsWith('{') ? parseJsonObject(text) : objectOf(parseYaml(text).value);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const isSyntax = error instanceof JsonSyntaxError && !why.startsWith('yaml: ');
    throw new Error(isSyntax ? `couldn't get version/kind; json parse error: ${why}` : why, { cause: error });
  }
}

/** Longer texts are cut before they are repeated. @source client-go maxUnstructuredResponseTextBytes */
const MAX_TEXT = 2048;

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: 'the server rejected our request for an unknown reason',
  401: 'the server has asked for the client to provide credentials',
  404: 'the server could not find the requested resource',
  405: 'the server does not allow this method on the requested resource',
  409: 'the server reported a conflict',
  422: 'the server rejected our request due to an error in our request',
  429: 'the server has received too many requests and has asked us to try again later',
  503: 'the server is currently unable to handle the request',
  504: 'the server was unable to return a response in the time allotted, but may still be processing the request',
};
/** Their text is the server's own. */
const OWN_TEXT: ReadonlySet<number> = new Set([403, 406, 415]);

/** The words for an answer that is no success: those of the Status that it is, else of its code; text bodies speak for themselves. */
export function answerFailure(status: number, body: string, contentType: string): string {
  const said = failureMessage(body);
  if (said !== undefined) return said;
  const isText = contentType === '' || contentType.startsWith('text/');
  const text = isText ? body.slice(0, MAX_TEXT).trim() : 'unknown';
  if (OWN_TEXT.has(status)) {
    const silent = status === 406 && (text === '' || text === 'unknown');
    return silent ? 'the server was unable to respond with a content type that the client supports' : text;
  }
  const known = STATUS_TEXTS[status];
  if (known !== undefined) return known;
  if (status >= 500) return `an error on the server (${JSON.stringify(text)}) has prevented the request from succeeding`;
  return `the server responded with the status code ${status} but did not return more information`;
}

function failureMessage(body: string): string | undefined {
  try {
    const parsed = JSON.parse(body) as { kind?: unknown; status?: unknown; message?: unknown } | null;
    return parsed?.kind === 'Status' && parsed.status === 'Failure' && typeof parsed.message === 'string' ? parsed.message : undefined;
  } catch {
    return undefined;
  }
}
