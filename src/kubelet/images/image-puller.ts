// SPDX-License-Identifier: Apache-2.0
// Brings a container's image to the node by its pull policy, with upstream's events and back-off.
// @source upstream pkg/kubelet/images/image_manager.go. Pulls of one image by several Pods run once.
import type { Clock } from '#component';
import { type Image, type RegistryAuth, type Runtime, RuntimeError } from '#runtime';
import { abortable } from '../abortable.ts';
import type { Backoff } from '../backoff.ts';
import type { ContainerSpec, EphemeralSpec, PodView } from '../pod/pod.ts';
import type { EventRecorder } from '../recorder.ts';

/** Thrown when a container cannot be started; `reason` and `message` are what its waiting state shows. */
export class StartError extends Error {
  readonly reason: string;
  /** When trying again makes sense, in milliseconds since the epoch; undefined: the default. */
  readonly retryAt: number | undefined;

  constructor(reason: string, message: string, options: ErrorOptions & { retryAt?: number | undefined } = {}) {
    super(message, options);
    this.name = 'StartError';
    this.reason = reason;
    this.retryAt = options.retryAt;
  }
}

interface Deps {
  readonly runtime: Runtime;
  readonly backoff: Backoff;
  readonly recorder: EventRecorder;
  readonly clock: Clock;
}

export interface PullRequest {
  readonly pod: PodView;
  readonly spec: ContainerSpec | EphemeralSpec;
  readonly fieldPath: string;
  /** Credentials to try in order; none: anonymous. */
  readonly credentials: (image: string) => Promise<readonly RegistryAuth[]>;
}

const SHOW_BACKOFF_MS = 1000;

export class ImagePuller {
  readonly #deps: Deps;
  readonly #running = new Map<string, Promise<Image>>();
  /** The last failure's text by back-off key. */
  readonly #failures = new Map<string, string>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** @throws {StartError} `ErrImagePull`, `ImagePullBackOff`, `ErrImageNeverPull`, `InvalidImageName`. */
  async ensure(request: PullRequest, signal: AbortSignal): Promise<Image> {
    const { pod, spec, fieldPath } = request;
    const reference = spec.image ?? '';
    const policy = spec.imagePullPolicy ?? defaultPolicy(reference);
    const present = this.#find(reference);
    if (present !== undefined && policy !== 'Always') {
      const text = `Container image "${reference}" already present on machine and can be accessed by the pod`;
      this.#deps.recorder.event(pod, 'Normal', 'Pulled', text, fieldPath);
      return present;
    }
    if (policy === 'Never') {
      const text = `Container image "${reference}" is not present with pull policy of Never`;
      this.#deps.recorder.event(pod, 'Warning', 'ErrImageNeverPull', text, fieldPath);
      throw new StartError('ErrImageNeverPull', text);
    }
    return this.#pull(request, reference, signal);
  }

  #find(reference: string): Image | undefined {
    try {
      return this.#deps.runtime.images.find(reference);
    } catch (error) {
      if (error instanceof RuntimeError && error.reason === 'InvalidImageName') throw invalidName(reference, error);
      throw error;
    }
  }

  async #pull(request: PullRequest, reference: string, signal: AbortSignal): Promise<Image> {
    const { backoff, clock, recorder } = this.#deps;
    const { pod, fieldPath } = request;
    const key = `${pod.metadata.uid}_${reference}`;
    const until = backoff.waitUntilSinceUpdate(key);
    if (until !== undefined) {
      const text = `Back-off pulling image "${reference}"`;
      recorder.event(pod, 'Normal', 'BackOff', text, fieldPath);
      const cause = this.#failures.get(key);
      throw new StartError('ImagePullBackOff', cause === undefined ? text : `${text}: ErrImagePull: ${cause}`, { retryAt: until });
    }
    recorder.event(pod, 'Normal', 'Pulling', `Pulling image "${reference}"`, fieldPath);
    const begun = clock.now();
    try {
      const image = await this.#shared(request, reference, signal);
      backoff.reset(key);
      this.#failures.delete(key);
      const took = formatDuration(clock.now() - begun);
      const text = `Successfully pulled image "${reference}" in ${took} (${took} including waiting). Image size: ${image.sizeBytes} bytes.`;
      recorder.event(pod, 'Normal', 'Pulled', text, fieldPath);
      return image;
    } catch (error) {
      if (signal.aborted) throw error;
      const reason = error instanceof RuntimeError ? error.reason : 'ErrImagePull';
      if (reason === 'InvalidImageName') throw invalidName(reference, error);
      const message = (error as Error).message;
      recorder.event(pod, 'Warning', 'Failed', `Failed to pull image "${reference}": ${message}`, fieldPath);
      backoff.next(key);
      this.#failures.set(key, message);
      // Soon, to show the back-off, whose end is then waited for.
      throw new StartError('ErrImagePull', message, { cause: error, retryAt: clock.now() + SHOW_BACKOFF_MS });
    }
  }

  async #shared(request: PullRequest, reference: string, signal: AbortSignal): Promise<Image> {
    const credentials = await request.credentials(reference);
    const key = JSON.stringify([reference, credentials]);
    const running = this.#running.get(key);
    if (running !== undefined) return abortable(running, signal);
    // Not bound to one Pod's signal: others may wait for it too, and a finished download is of use to the next.
    const pull = this.#tryEach(reference, credentials).finally(() => this.#running.delete(key));
    this.#running.set(key, pull);
    return abortable(pull, signal);
  }

  async #tryEach(reference: string, credentials: readonly RegistryAuth[]): Promise<Image> {
    const never = new AbortController().signal;
    let failure: unknown;
    for (const auth of credentials.length === 0 ? [undefined] : credentials) {
      try {
        return await this.#deps.runtime.images.pull(reference, auth, never);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}

function invalidName(reference: string, cause: unknown): StartError {
  const text = `Failed to apply default image tag "${reference}": couldn't parse image name "${reference}": invalid reference format`;
  return new StartError('InvalidImageName', text, { cause });
}

/** `Always` for `latest` or no tag, as the API defaults it. */
export function defaultPolicy(reference: string): 'Always' | 'IfNotPresent' {
  if (reference.includes('@')) return 'IfNotPresent';
  const name = reference.slice(reference.lastIndexOf('/') + 1);
  const colon = name.indexOf(':');
  return colon < 0 || name.slice(colon + 1) === 'latest' ? 'Always' : 'IfNotPresent';
}

/** As Go prints a duration rounded to milliseconds: `1.234s`, `56ms`, `1m2.5s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return ms === 0 ? '0s' : `${Math.round(ms)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = Number(((ms % 60_000) / 1000).toFixed(3));
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
}
