// SPDX-License-Identifier: Apache-2.0
// A configuration file that is read again when it changes. What cannot be used leaves the one before in force, and is logged and
// counted under upstream's metrics.
// @source upstream apiserver pkg/server/options/{authentication,authorization}config/metrics, pkg/kubeapiserver/authorizer/reload.go
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { type Clock, followFile, type Logger, type Metrics } from '#component';
import { registerComputed } from '../metrics/computed-metric.ts';

export interface FollowedOptions<T> {
  readonly file: string;
  /** First part of the metrics' names. */
  readonly subsystem: 'authentication' | 'authorization';
  /** @throws What cannot be used. */
  readonly parse: (text: string) => T | Promise<T>;
  readonly clock: Pick<Clock, 'now'>;
  readonly logger: Pick<Logger, 'info' | 'error'>;
}

/** Whatever is configured by it. */
export type ConfigurationFile = Pick<FollowedConfiguration<never>, 'register' | 'run'>;

export class FollowedConfiguration<T> {
  readonly #options: FollowedOptions<T>;
  /** As it was at the start. */
  readonly initial: T;
  readonly #reloads = { success: 0, failure: 0 };
  readonly #lastAt = { success: 0, failure: 0 };
  #text: string;
  /** Of the text that is in force. */
  #hash: string;
  #apply: (value: T) => void = () => {};
  #reading: Promise<void> = Promise.resolve();

  private constructor(options: FollowedOptions<T>, text: string, initial: T) {
    this.#options = options;
    this.#text = text;
    this.#hash = hashOf(text);
    this.initial = initial;
  }

  /** Reads the file for the first time. @throws What `parse` throws, and what reading does. */
  static async open<T>(options: FollowedOptions<T>): Promise<FollowedConfiguration<T>> {
    const text = readFileSync(options.file, 'utf8');
    return new FollowedConfiguration(options, text, await options.parse(text));
  }

  /** @param apply Puts a later configuration in force. What it throws is a failed reload. */
  use(apply: (value: T) => void): void {
    this.#apply = apply;
  }

  register(metrics: Metrics): void {
    const { subsystem } = this.#options;
    const prefix = `apiserver_${subsystem}_config_controller`;
    const server = { apiserver_id_hash: hashOf(hostname()) };
    const outcomes = ['success', 'failure'] as const;
    const made = () => outcomes.filter((status) => this.#reloads[status] > 0);
    registerComputed(metrics, {
      name: `${prefix}_automatic_reloads_total`,
      help: `Reloads of the ${subsystem} configuration, by outcome.`,
      type: 'counter',
      samples: () => made().map((status) => ({ value: this.#reloads[status], labels: { ...server, status } })),
    });
    registerComputed(metrics, {
      name: `${prefix}_automatic_reload_last_timestamp_seconds`,
      help: `When the ${subsystem} configuration was last read again, by outcome.`,
      type: 'gauge',
      samples: () => made().map((status) => ({ value: this.#lastAt[status], labels: { ...server, status } })),
    });
    registerComputed(metrics, {
      name: `${prefix}_last_config_info`,
      help: `The ${subsystem} configuration that is in force, by its hash.`,
      type: 'gauge',
      samples: () => [{ value: 1, labels: { ...server, hash: this.#hash } }],
    });
  }

  /** Follows the file until `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    const { file, logger, subsystem } = this.#options;
    const failed = (error: Error) => logger.error({ file, error: error.message }, `The ${subsystem} configuration is no longer followed`);
    using _follower = followFile(file, () => this.#check(), failed);
    this.#check(); // It may have changed since the start.
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await this.#reading;
  }

  /** One after the other, so that the newest is what stays. */
  #check(): void {
    this.#reading = this.#reading.then(() => this.#reload());
  }

  async #reload(): Promise<void> {
    const { file, logger, subsystem, parse } = this.#options;
    try {
      const text = readFileSync(file, 'utf8');
      if (text === this.#text) return;
      this.#text = text;
      this.#apply(await parse(text));
      this.#hash = hashOf(text);
      this.#count('success');
      logger.info({ file }, `The ${subsystem} configuration was read again`);
    } catch (error) {
      this.#count('failure');
      logger.error({ file, error: (error as Error).message }, `The ${subsystem} configuration cannot be used; the one before stays`);
    }
  }

  #count(status: 'success' | 'failure'): void {
    this.#reloads[status] += 1;
    this.#lastAt[status] = this.#options.clock.now() / 1000;
  }
}

function hashOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
