// SPDX-License-Identifier: Apache-2.0
// PodSecurity: the levels that a namespace's labels name. `enforce` refuses Pods, `warn` warns about Pods and their templates,
// a change of `enforce` warns about the Pods there are. `audit` and what was decided become audit annotations. Levels of namespaces
// without labels, and who is exempt, come from the plugin's configuration.
import { namespaces, pods } from '#api';
import type { Namespace, Pod, PodTemplateSpec } from '#api/core/v1';
import { type DeepReadonly, type FieldCause, field, invalid, invalidValue, semanticEqual } from '#machinery';
import type { AdmissionDeps, AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import { isFor, isOperation, nameOf, refusal } from '../match.ts';
import { detailsText, type Level, reasonsText, violationsOf } from './checks.ts';

const PREFIX = 'pod-security.kubernetes.io/';
const MODES = ['enforce', 'audit', 'warn'] as const;
const LEVELS = ['privileged', 'baseline', 'restricted'] as const;
type Mode = (typeof MODES)[number];

interface Policy {
  readonly level: Level;
  /** `baseline:latest` */
  readonly text: string;
}

/** `PodSecurityConfiguration` of pod-security.admission.config.k8s.io. */
interface Configuration {
  readonly defaults?: Readonly<Record<string, string>>;
  readonly exemptions?: {
    readonly usernames?: readonly string[];
    readonly namespaces?: readonly string[];
    readonly runtimeClasses?: readonly string[];
  };
}

type Labels = Readonly<Record<string, string>> | undefined;
type PolicyOf = (labels: Labels, mode: Mode) => Policy;

function policiesOf(defaults: Readonly<Record<string, string>>): PolicyOf {
  return (labels, mode) => {
    const own = labels?.[`${PREFIX}${mode}`];
    const given = own ?? defaults[mode];
    const level = LEVELS.find((name) => name === given) ?? (given === undefined ? 'privileged' : 'restricted');
    const version = labels?.[`${PREFIX}${mode}-version`] ?? defaults[`${mode}-version`] ?? 'latest';
    return { level, text: `${level}:${version}` };
  };
}

function labelCauses(labels: Readonly<Record<string, string>> | undefined): FieldCause[] {
  const path = field('metadata', 'labels');
  return MODES.flatMap((mode) => {
    const causes: FieldCause[] = [];
    const [level, version] = [labels?.[`${PREFIX}${mode}`], labels?.[`${PREFIX}${mode}-version`]];
    if (level !== undefined && !LEVELS.includes(level as Level)) {
      causes.push(invalidValue(path.key(`${PREFIX}${mode}`), level, `must be one of ${LEVELS.join(', ')}`));
    }
    if (version !== undefined && version !== 'latest' && !/^v1\.(0|[1-9]\d*)$/.test(version)) {
      causes.push(invalidValue(path.key(`${PREFIX}${mode}-version`), version, 'must be "latest" or "v1.x"'));
    }
    return causes;
  });
}

function validateNamespace(request: AdmissionRequest, deps: AdmissionDeps, policyOf: PolicyOf): void {
  const next = request.object as unknown as Namespace;
  const old = request.oldObject as DeepReadonly<Namespace> | undefined;
  const causes = labelCauses(next.metadata.labels);
  if (causes.length > 0 && !(old !== undefined && semanticEqual(labelCauses(old.metadata.labels), causes))) {
    throw invalid({ group: '', kind: 'Namespace' }, nameOf(request), causes);
  }
  if (old === undefined) return;
  const [policy, before] = [policyOf(next.metadata.labels, 'enforce'), policyOf(old.metadata.labels, 'enforce')];
  if (policy.text === before.text || policy.level === 'privileged') return;
  if (LEVELS.indexOf(policy.level) < LEVELS.indexOf(before.level)) return;
  warnAboutExisting(request, policy, deps);
}

function warnAboutExisting(request: AdmissionRequest, policy: Policy, { reader }: AdmissionDeps): void {
  const byReason = new Map<string, string[]>();
  for (const pod of reader.list(pods, nameOf(request))) {
    const reasons = reasonsText(violationsOf(policy.level, pod));
    if (reasons !== '') byReason.set(reasons, [...(byReason.get(reasons) ?? []), pod.metadata.name ?? '']);
  }
  if (byReason.size === 0) return;
  request.warn(`existing pods in namespace "${nameOf(request)}" violate the new PodSecurity enforce level "${policy.text}"`);
  const lines = [...byReason].map(([reasons, names]) => {
    const [first = '', ...others] = [...names].sort();
    const more = others.length === 0 ? '' : ` (and ${others.length} other ${others.length === 1 ? 'pod' : 'pods'})`;
    return `${first}${more}: ${reasons}`;
  });
  for (const line of lines.sort()) request.warn(line);
}

function labelsOf(request: AdmissionRequest, { reader }: AdmissionDeps): Readonly<Record<string, string>> | undefined {
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

interface Evaluation {
  readonly deps: AdmissionDeps;
  readonly policyOf: PolicyOf;
  readonly exemptClasses: ReadonlySet<string>;
}

function validatePod(request: AdmissionRequest, { deps, policyOf, exemptClasses }: Evaluation): void {
  if (!isSignificant(request)) return;
  const pod = request.object as unknown as Pod;
  if (exemptClasses.has(pod.spec.runtimeClassName ?? '')) {
    request.annotate?.(`${PREFIX}exempt`, 'runtimeClass');
    return;
  }
  const labels = labelsOf(request, deps);
  const enforce = policyOf(labels, 'enforce');
  request.annotate?.(`${PREFIX}enforce-policy`, enforce.text);
  const found = violationsOf(enforce.level, pod);
  audit(request, policyOf(labels, 'audit'), pod);
  if (found.length > 0) throw refusal(request, `violates PodSecurity "${enforce.text}": ${detailsText(found)}`);
  warn(request, policyOf(labels, 'warn'), pod);
}

type Subject = Pick<Pod, 'metadata' | 'spec'>;

function warn(request: AdmissionRequest, policy: Policy, subject: Subject): void {
  const found = violationsOf(policy.level, subject);
  if (found.length > 0) request.warn(`would violate PodSecurity "${policy.text}": ${detailsText(found)}`);
}

/** Costs nothing where nobody keeps an audit log. */
function audit(request: AdmissionRequest, policy: Policy, subject: Subject): void {
  if (request.annotate === undefined) return;
  const found = violationsOf(policy.level, subject);
  if (found.length > 0) request.annotate(`${PREFIX}audit-violations`, `would violate PodSecurity "${policy.text}": ${detailsText(found)}`);
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

function validate(request: AdmissionRequest, evaluation: Evaluation): void {
  if (isFor(request, 'namespaces')) {
    validateNamespace(request, evaluation.deps, evaluation.policyOf);
    return;
  }
  if (request.resource.group === '' && request.resource.resource === 'pods') {
    validatePod(request, evaluation);
    return;
  }
  const template = templateOf(request)?.(request.object as never);
  if (template === undefined || template === null) return;
  const subject = { metadata: template.metadata ?? ({} as Pod['metadata']), spec: template.spec };
  const labels = labelsOf(request, evaluation.deps);
  audit(request, evaluation.policyOf(labels, 'audit'), subject);
  warn(request, evaluation.policyOf(labels, 'warn'), subject);
}

/** @throws {RangeError} If a default level is none. */
export function podSecurity(configuration?: unknown): AdmissionPlugin {
  const { defaults = {}, exemptions = {} } = (configuration ?? {}) as Configuration;
  for (const mode of MODES) {
    const level = defaults[mode];
    if (level !== undefined && !LEVELS.includes(level as Level))
      throw new RangeError(`configure PodSecurity: defaults.${mode}: Invalid value: "${level}": must be one of ${LEVELS.join(', ')}`);
  }
  const policyOf = policiesOf(defaults);
  const [users, exempt] = [new Set(exemptions.usernames), new Set(exemptions.namespaces)];
  const exemptClasses = new Set(exemptions.runtimeClasses);
  return {
    name: 'PodSecurity',
    handles: (request) =>
      isOperation(request, 'CREATE', 'UPDATE') &&
      (isFor(request, 'namespaces') ||
        isFor(request, 'pods') ||
        isFor(request, 'pods/ephemeralcontainers') ||
        (request.subresource === '' && templateOf(request) !== undefined)),
    validate(request, deps) {
      const isExempt = exempt.has(request.namespace) ? 'namespace' : users.has(request.user.name) ? 'user' : undefined;
      if (isExempt === undefined || isFor(request, 'namespaces')) validate(request, { deps, policyOf, exemptClasses });
      else request.annotate?.(`${PREFIX}exempt`, isExempt);
    },
  };
}
