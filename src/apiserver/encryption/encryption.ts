// SPDX-License-Identifier: Apache-2.0
// Encryption at rest as configured now, by group resource, and its reload when the file changes.
//
// Guarantees: a value is written by the first key of its rule and read by any; a configuration that cannot be used leaves the one
// before in force, and health says so.
// @source upstream apiserver pkg/server/options/encryptionconfig
import { readFileSync } from 'node:fs';
import { followFile, type Logger, type Metrics } from '#component';
import { UnreadableValueError } from '../cacher/unreadable-value.ts';
import { registerComputed } from '../metrics/computed-metric.ts';
import { covers, type EncryptionRules, parseEncryptionConfiguration } from './configuration.ts';
import type { Opened, PrefixTransformers } from './prefix-transformers.ts';

export interface EncryptionOptions {
  /** `--encryption-provider-config` */
  readonly file: string;
  /** `--encryption-provider-config-automatic-reload` */
  readonly reload: boolean;
  readonly logger: Logger;
}

/** The door of one resource. */
export interface ResourceEncryption {
  /** The prefix of the key that writes now. */
  readonly writer: string;
  /** @param key The whole storage key: `/registry/secrets/default/a`. */
  seal(plain: Uint8Array, key: string): Uint8Array;
  /** @throws {Error} If no key reads it. */
  open(value: Uint8Array, key: string): Opened;
}

export class Encryption implements Disposable {
  readonly #options: EncryptionOptions;
  readonly #byResource = new Map<string, PrefixTransformers | undefined>();
  readonly #operations = new Map<string, number>();
  #rules: EncryptionRules;
  #text: string;
  #problem: string | undefined;
  #follower: Disposable | undefined;
  readonly #reloads = { success: 0, failure: 0 };

  /** Reads the configuration. @throws {EncryptionConfigurationError} If it cannot be used. */
  constructor(options: EncryptionOptions) {
    this.#options = options;
    this.#text = readFileSync(options.file, 'utf8');
    this.#rules = parseEncryptionConfiguration(this.#text);
    if (options.reload) this.#follow();
  }

  /** Why the newest configuration is not in force; undefined if it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** The door of a resource; undefined where no rule concerns it now and none can come. */
  of(group: string, resource: string): ResourceEncryption | undefined {
    const name = group === '' ? resource : `${resource}.${group}`;
    if (!this.#options.reload && this.#find(name) === undefined) return undefined;
    const find = () => this.#find(name);
    return {
      get writer() {
        return find()?.writer ?? '';
      },
      seal: (plain, key) => {
        const found = this.#find(name);
        if (found === undefined) return plain;
        this.#count(name, 'to_storage', found.writer, 'OK');
        return found.seal(plain, key);
      },
      open: (value, key) => {
        const found = this.#find(name);
        if (found === undefined) return { plain: value, seal: '' };
        try {
          const opened = found.open(value, key);
          this.#count(name, 'from_storage', opened.seal, 'OK');
          return opened;
        } catch (error) {
          this.#count(name, 'from_storage', 'unknown', 'Unknown');
          throw new UnreadableValueError(key, (error as Error).message, { cause: error });
        }
      },
    };
  }

  register(metrics: Metrics): void {
    registerComputed(metrics, {
      name: 'apiserver_storage_transformation_operations_total',
      help: 'Values turned into their stored form and back.',
      type: 'counter',
      samples: () =>
        [...this.#operations].map(([key, value]) => {
          const [resource = '', transformation_type = '', transformer_prefix = '', status = ''] = key.split(' ');
          return { value, labels: { resource, status, transformation_type, transformer_prefix } };
        }),
    });
    for (const outcome of ['success', 'failure'] as const) {
      registerComputed(metrics, {
        name: `apiserver_encryption_config_controller_automatic_reload_${outcome}_total`,
        help: `Reloads of the encryption configuration that ended in ${outcome}.`,
        type: 'counter',
        samples: () => [{ value: this.#reloads[outcome], labels: {} }],
      });
    }
  }

  [Symbol.dispose](): void {
    this.#follower?.[Symbol.dispose]();
  }

  #find(name: string): PrefixTransformers | undefined {
    if (this.#byResource.has(name)) return this.#byResource.get(name);
    const found = this.#rules.find(({ resource }) => covers(resource, name))?.transformers;
    this.#byResource.set(name, found);
    return found;
  }

  #count(resource: string, type: string, seal: string, status: string): void {
    const key = `${resource} ${type} ${seal === '' ? 'identity' : seal} ${status}`;
    this.#operations.set(key, (this.#operations.get(key) ?? 0) + 1);
  }

  #follow(): void {
    const { file, logger } = this.#options;
    const failed = (error: Error) => logger.error({ error: error.message }, 'Encryption configuration is no longer watched');
    this.#follower = followFile(file, () => this.#reload(), failed);
  }

  #reload(): void {
    const { file, logger } = this.#options;
    try {
      const text = readFileSync(file, 'utf8');
      if (text === this.#text || text === '') return;
      this.#rules = parseEncryptionConfiguration(text);
      this.#text = text;
      this.#byResource.clear();
      this.#problem = undefined;
      this.#reloads.success += 1;
      logger.info({ file }, 'Encryption configuration was read again');
    } catch (error) {
      this.#problem = (error as Error).message;
      this.#reloads.failure += 1;
      logger.error({ file, error: this.#problem }, 'Encryption configuration cannot be used; the one before stays');
    }
  }
}
