// SPDX-License-Identifier: Apache-2.0
// certificatesigningrequest-signing-controller: signs approved requests for the built-in signers with the cluster's authority, and
// marks as failed what breaks a signer's rules. Valid for a year unless the request asks for less.
import type { CertificateSigningRequest } from '#api/certificates/v1';
import { certificatesigningrequests } from '#api/resources';
import { DONE } from '#client';
import { formatTime } from '#component';
import type { DeepReadonly } from '#machinery';
import { type ControllerContext, type ControllerEntry, KeyQueue, type SigningAuthority } from '../context.ts';
import { hasCondition } from './approver.ts';

type ReadRequest = DeepReadonly<CertificateSigningRequest>;

const YEAR_MS = 365 * 24 * 3600_000;
const LEAST_MS = 600_000;

export const csrSigning: ControllerEntry = {
  name: 'certificatesigningrequest-signing-controller',
  account: 'certificate-controller',
  create(context) {
    const { signing } = context.settings;
    if (signing === undefined) return undefined;
    const all = context.informers.informer(certificatesigningrequests);
    const work = new KeyQueue(context, 'certificatesigningrequest-signing-controller');
    all.addHandler({ add: work.add, update: (_, after) => work.add(after) });
    return work.run({
      workers: 1,
      async reconcile(name) {
        const request = all.lister.find(name);
        const isReady =
          request !== undefined &&
          hasCondition(request, 'Approved') &&
          !hasCondition(request, 'Denied', 'Failed') &&
          (request.status?.certificate ?? '') === '';
        if (isReady) await sign(request, signing, context);
        return DONE;
      },
    });
  },
};

async function sign(request: ReadRequest, authority: SigningAuthority, { client, clock }: ControllerContext): Promise<void> {
  const rules = await import('./request-rules.ts');
  const { signerName, usages = [], expirationSeconds } = request.spec;
  if (!rules.SIGNERS.includes(signerName)) return;
  const now = clock.now();
  const facts = rules.parseRequest(request.spec.request);
  const problem = rules.signerProblem(signerName, facts, usages);
  if (problem !== undefined) {
    const time = formatTime(now);
    const condition = {
      type: 'Failed',
      status: 'True' as const,
      reason: 'SignerValidationFailure',
      message: problem,
      lastUpdateTime: time,
      lastTransitionTime: time,
    };
    await client.update(
      certificatesigningrequests,
      { ...request, status: { ...request.status, conditions: [...(request.status?.conditions ?? []), condition] } },
      { subresource: 'status' },
    );
    return;
  }
  const { signRequest } = await import('#component/pki');
  const kinds = (['client', 'server'] as const).filter((kind) => usages.includes(`${kind} auth`));
  const validMs = expirationSeconds === undefined ? YEAR_MS : Math.min(YEAR_MS, Math.max(LEAST_MS, expirationSeconds * 1000));
  const pem = await signRequest(authority, facts.pem, { usages: kinds, validMs }, now);
  const certificate = Buffer.from(pem).toString('base64');
  await client.update(certificatesigningrequests, { ...request, status: { ...request.status, certificate } }, { subresource: 'status' });
}
