// SPDX-License-Identifier: Apache-2.0
// certificatesigningrequest-approving-controller: approves the client certificates of kubelets whose requester may have them, which a
// SubjectAccessReview decides. Everything else waits for a person.
import type { SubjectAccessReview } from '#api/authorization/v1';
import type { CertificateSigningRequest } from '#api/certificates/v1';
import { certificatesigningrequests, subjectaccessreviews } from '#api/resources';
import { DONE } from '#client';
import { formatTime } from '#component';
import { type DeepReadonly, deepCopy } from '#machinery';
import { type ControllerContext, type ControllerEntry, KeyQueue } from '../context.ts';

type ReadRequest = DeepReadonly<CertificateSigningRequest>;

export function hasCondition({ status }: ReadRequest, ...types: readonly string[]): boolean {
  return (status?.conditions ?? []).some(({ type }) => types.includes(type));
}

export const csrApproving: ControllerEntry = {
  name: 'certificatesigningrequest-approving-controller',
  account: 'certificate-controller',
  create(context) {
    const all = context.informers.informer(certificatesigningrequests);
    const work = new KeyQueue(context, 'certificatesigningrequest-approving-controller');
    const add = (request: ReadRequest) => {
      if (!hasCondition(request, 'Approved', 'Denied')) work.add(request);
    };
    all.addHandler({ add, update: (_, after) => add(after) });
    return work.run({
      workers: 1,
      async reconcile(name) {
        const request = all.lister.find(name);
        if (request !== undefined && (request.status?.certificate ?? '') === '' && !hasCondition(request, 'Approved', 'Denied'))
          await approve(request, context);
        return DONE;
      },
    });
  },
};

async function approve(request: ReadRequest, context: ControllerContext): Promise<void> {
  const rules = await import('./request-rules.ts');
  const { spec } = request;
  if (spec.signerName !== rules.KUBELET_CLIENT) return;
  let facts: ReturnType<typeof rules.parseRequest>;
  try {
    facts = rules.parseRequest(spec.request);
  } catch (error) {
    context.logger.warn({ err: error, csr: request.metadata.name }, 'Certificate request could not be read');
    return;
  }
  if (rules.kubeletClientProblem(facts, spec.usages ?? []) !== undefined) return;
  const candidates = [
    ...(facts.commonName === spec.username
      ? [{ subresource: 'selfnodeclient', message: 'Auto approving self kubelet client certificate after SubjectAccessReview.' }]
      : []),
    { subresource: 'nodeclient', message: 'Auto approving kubelet client certificate after SubjectAccessReview.' },
  ];
  for (const { subresource, message } of candidates) {
    if (!(await isAllowed(request, subresource, context))) continue;
    const now = formatTime(context.clock.now());
    const condition = {
      type: 'Approved',
      status: 'True' as const,
      reason: 'AutoApproved',
      message,
      lastUpdateTime: now,
      lastTransitionTime: now,
    };
    const status = { ...request.status, conditions: [...(request.status?.conditions ?? []), condition] };
    await context.client.update(certificatesigningrequests, { ...request, status }, { subresource: 'approval' });
    return;
  }
}

async function isAllowed({ spec }: ReadRequest, subresource: string, { client }: ControllerContext): Promise<boolean> {
  const { username, uid, groups, extra } = spec;
  const review = await client.create<SubjectAccessReview>(subjectaccessreviews, {
    spec: {
      user: username,
      uid,
      groups: deepCopy(groups ?? []),
      ...(extra === undefined ? {} : { extra: deepCopy(extra) }),
      resourceAttributes: {
        group: 'certificates.k8s.io',
        version: '*',
        resource: 'certificatesigningrequests',
        verb: 'create',
        subresource,
      },
    },
  });
  return review.status?.allowed === true;
}
