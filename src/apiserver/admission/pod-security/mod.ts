// SPDX-License-Identifier: Apache-2.0
// PodSecurity: the levels that a namespace's labels name. `enforce` refuses Pods, `warn` warns about Pods and their templates,
// a change of `enforce` warns about the Pods there are. `audit` and what was decided become audit annotations. Levels of namespaces
// without labels, and who is exempt, come from the plugin's configuration.
import { namespaces } from '#api';
import type { Pod, PodTemplateSpec } from '#api/core/v1';
import { semanticEqual } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import { isFor, isOperation, refusal } from '../match.ts';
import {
  defaultPolicy,
  isPrivileged,
  type Labels,
  type LevelVersion,
  labelCauses,
  type Policy,
  PREFIX,
  policyOf,
} from './namespace-policy.ts';
import { type NamespaceRules, validateNamespace } from './namespaces.ts';
import { detailsText, violationsOf } from './standards.ts';

/** `PodSecurityConfiguration` of pod-security.admission.config.k8s.io. */
interface Configuration {
  readonly defaults?: Readonly<Record<string, string>>;
  readonly exemptions?: {
    readonly usernames?: readonly string[];
    readonly namespaces?: readonly string[];
    readonly runtimeClasses?: readonly string[];
  };
}

function labelsOf(request: AdmissionRequest, { reader }: AdmissionDeps): Labels | undefined {
  return reader.find(namespaces, { name: request.namespace })?.metadata.labels;
}

const SECCOMP_PREFIX = 'container.seccomp.security.alpha.kubernetes.io/';

/** Only containers, their images and the seccomp profiles in annotations can make a Pod worse after it was made. */
function isSignificant(request: AdmissionRequest): boolean {
  if (request.operation === 'CREATE') return true;
  const [next, old] = [request.object, request.oldObject].map((it) => it as unknown as Pod);
  const parts = ({ metadata, spec }: Pod) =>
    [spec.containers, spec.initContainers, spec.ephemeralContainers].map((containers) =>
      (containers ?? []).map(({ name, image }) => [image ?? '', metadata.annotations?.[SECCOMP_PREFIX + name] ?? '']),
    );
  return next === undefined || old === undefined || !semanticEqual(parts(next), parts(old));
}

type Subject = Pick<Pod, 'metadata' | 'spec'>;

function validatePod(request: AdmissionRequest, deps: AdmissionDeps, rules: NamespaceRules): void {
  const labels = labelsOf(request, deps);
  const policy = policyOf(labels, rules.defaults);
  if (isPrivileged(policy) && isReadable(labels, policy, rules)) {
    request.annotate?.(`${PREFIX}enforce-policy`, policy.enforce.text);
    return;
  }
  if (!isSignificant(request)) return;
  const pod = request.object as unknown as Pod;
  if (isExemptClass(request, pod, rules)) return;
  annotateError(request, labels);
  request.annotate?.(`${PREFIX}enforce-policy`, policy.enforce.text);
  const found = violationsOf(policy.enforce.level, pod, policy.enforce.minor);
  audit(request, policy.audit, pod);
  if (found.length > 0) throw refusal(request, `violates PodSecurity "${policy.enforce.text}": ${detailsText(found)}`);
  warn(request, policy.warn, pod);
}

function validateTemplate(request: AdmissionRequest, deps: AdmissionDeps, rules: NamespaceRules): void {
  const template = templateOf(request)?.(request.object as never);
  if (template === undefined || template === null) return;
  const labels = labelsOf(request, deps);
  const policy = policyOf(labels, rules.defaults);
  if (isPrivileged(policy, ['audit', 'warn']) && isReadable(labels, policy, rules)) return;
  const subject = { metadata: template.metadata ?? ({} as Pod['metadata']), spec: template.spec };
  if (isExemptClass(request, subject, rules)) return;
  annotateError(request, labels);
  audit(request, policy.audit, subject);
  warn(request, policy.warn, subject);
}

/** Namespaces without a label of ours have the default policy itself. */
function isReadable(labels: Labels | undefined, policy: Policy, { defaults }: NamespaceRules): boolean {
  return policy === defaults || labelCauses(labels).length === 0;
}

function isExemptClass(request: AdmissionRequest, { spec }: Subject, { exemptClasses }: NamespaceRules): boolean {
  const isExempt = exemptClasses.has(spec.runtimeClassName ?? '');
  if (isExempt) request.annotate?.(`${PREFIX}exempt`, 'runtimeClass');
  return isExempt;
}

function annotateError({ annotate }: AdmissionRequest, labels: Labels | undefined): void {
  const causes = annotate === undefined ? [] : labelCauses(labels);
  if (causes.length === 0) return;
  const texts = causes.map(({ field, message }) => `${field}: ${message}`);
  annotate?.(`${PREFIX}error`, `Failed to parse policy: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`);
}

function warn(request: AdmissionRequest, { level, minor, text }: LevelVersion, subject: Subject): void {
  const found = violationsOf(level, subject, minor);
  if (found.length > 0) request.warn(`would violate PodSecurity "${text}": ${detailsText(found)}`);
}

/** Costs nothing where nobody keeps an audit log. */
function audit(request: AdmissionRequest, { level, minor, text }: LevelVersion, subject: Subject): void {
  if (request.annotate === undefined) return;
  const found = violationsOf(level, subject, minor);
  if (found.length > 0) request.annotate(`${PREFIX}audit-violations`, `would violate PodSecurity "${text}": ${detailsText(found)}`);
}

const TEMPLATES: Readonly<Record<string, (object: never) => PodTemplateSpec | undefined>> = {
  '/podtemplates': ({ template }: { template: PodTemplateSpec }) => template,
  'batch/cronjobs': ({ spec }: { spec: { jobTemplate: { spec: { template: PodTemplateSpec } } } }) => spec.jobTemplate.spec.template,
  ...Object.fromEntries(
    ['/replicationcontrollers', 'apps/replicasets', 'apps/deployments', 'apps/statefulsets', 'apps/daemonsets', 'batch/jobs'].map(
      (name) => [name, ({ spec }: { spec: { template?: PodTemplateSpec } }) => spec.template],
    ),
  ),
};
const templateOf = ({ resource }: AdmissionRequest) => TEMPLATES[`${resource.group}/${resource.resource}`];
const isPods = ({ resource }: AdmissionRequest) => resource.group === '' && resource.resource === 'pods';

/** @throws {RangeError} If a default level or version is none. */
export function podSecurity(configuration?: unknown): AdmissionPlugin {
  const { defaults = {}, exemptions = {} } = (configuration ?? {}) as Configuration;
  const users = new Set(exemptions.usernames);
  const rules: NamespaceRules = {
    defaults: defaultPolicy(defaults),
    exempt: new Set(exemptions.namespaces),
    exemptClasses: new Set(exemptions.runtimeClasses),
  };
  return {
    name: 'PodSecurity',
    handles: (request) =>
      isOperation(request, 'CREATE', 'UPDATE') &&
      (isFor(request, 'namespaces') ||
        isFor(request, 'pods') ||
        isFor(request, 'pods/ephemeralcontainers') ||
        (request.subresource === '' && templateOf(request) !== undefined)),
    validate(request, deps) {
      if (isFor(request, 'namespaces')) return validateNamespace(request, deps, rules);
      const isExempt = rules.exempt.has(request.namespace) ? 'namespace' : users.has(request.user.name) ? 'user' : undefined;
      if (isExempt !== undefined) request.annotate?.(`${PREFIX}exempt`, isExempt);
      else if (isPods(request)) validatePod(request, deps, rules);
      else validateTemplate(request, deps, rules);
    },
  };
}
