// SPDX-License-Identifier: Apache-2.0
// An admission webhook on plain node:https. `/validate` refuses container images without a fixed tag; `/mutate` labels what has no
// team. docs/guides/admission-webhook.md makes its certificate and registers it. It keeps no state and looks nothing up.
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';

const PORT = 7564;
const keys = new URL('keys/', import.meta.url);

interface AdmissionRequest {
  readonly uid: string;
  readonly operation: string;
  readonly name: string;
  readonly dryRun: boolean;
  readonly userInfo: { readonly username: string };
  readonly object: Deployment;
}

interface Deployment {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> };
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } } };
}

/** What a webhook says beside the `uid` it was asked with. */
type Answer =
  | { readonly allowed: true; readonly patchType?: 'JSONPatch'; readonly patch?: string; readonly warnings?: readonly string[] }
  | { readonly allowed: false; readonly status: { readonly code: number; readonly message: string } };

function validate({ object }: AdmissionRequest): Answer {
  const images = object.spec.template.spec.containers.map(({ image }) => image);
  const loose = images.filter((image) => !/:[^/]+$/.test(image) || image.endsWith(':latest'));
  if (loose.length === 0) return { allowed: true };
  return { allowed: false, status: { code: 403, message: `images need a fixed tag: ${loose.join(', ')}` } };
}

/** Patches are JSON Patch (RFC 6902), in base64. */
function mutate({ object }: AdmissionRequest): Answer {
  const { labels } = object.metadata;
  if (labels?.['team'] !== undefined) return { allowed: true };
  const patch = [{ op: 'add', path: '/metadata/labels', value: { ...labels, team: 'nobody' } }];
  return {
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
    warnings: ['no team is named: "nobody" it is'],
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const decide = { '/validate': validate, '/mutate': mutate }[request.url?.split('?')[0] ?? ''];
  if (decide === undefined) return void response.writeHead(404).end();
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { request: asked } = JSON.parse(Buffer.concat(chunks).toString()) as { request: AdmissionRequest };
  const said = decide(asked);
  const dry = asked.dryRun ? ' (dry run)' : '';
  console.log(
    `${request.url?.split('?')[0]} ${asked.operation} ${asked.name} by ${asked.userInfo.username}${dry}: allowed=${said.allowed}`,
  );
  const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: { uid: asked.uid, ...said } };
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(review));
}

const tls = { cert: readFileSync(new URL('tls.crt', keys)), key: readFileSync(new URL('tls.key', keys)) };
const server = createServer(tls, (request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(String(error));
    response.writeHead(400).end();
  });
});
server.listen(PORT, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${PORT}`));
