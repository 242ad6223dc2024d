// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Metrics, systemClock } from '#component';
import { startTestServer } from '../_test-server.ts';
import { type AuthorizerChoice, parseAuthorizationConfiguration } from './authorization-configuration.ts';
import { FollowedConfiguration } from './followed-configuration.ts';
import { AUTHENTICATED_GROUP } from './user.ts';

const folder = mkdtempSync(join(tmpdir(), 'sagong-followed-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Keeps what is logged, and lets the test wait for it. */
class Log {
  readonly #lines: string[] = [];
  #waiting: ((line: string) => void) | undefined;

  info = (_facts: unknown, line: string) => this.#add(line);
  warn = this.info;
  error = (facts: { error: string }, line: string) => this.#add(`${line}: ${facts.error}`);

  next(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  #add(line: string): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#lines.push(line);
    else waiting(line);
  }
}

describe('a followed configuration', () => {
  const file = join(folder, 'number');
  const log = new Log();
  const parse = (text: string) => {
    if (!/^\d+$/.test(text)) throw new Error(`no number: ${text}`);
    return Number(text);
  };

  test('is read again when its file changes; what cannot be used leaves the one before', async () => {
    writeFileSync(file, '1');
    const followed = await FollowedConfiguration.open({
      file,
      subsystem: 'authorization',
      parse,
      clock: systemClock,
      logger: log as never,
    });
    const metrics = new Metrics();
    followed.register(metrics);
    const applied: number[] = [followed.initial];
    followed.use((value) => applied.push(value));
    const stop = new AbortController();
    const run = followed.run(stop.signal);

    writeFileSync(join(folder, 'other'), '2');
    renameSync(join(folder, 'other'), file);
    assert.match(await log.next(), /was read again/);
    writeFileSync(join(folder, 'other'), 'x');
    renameSync(join(folder, 'other'), file);
    assert.match(await log.next(), /cannot be used; the one before stays: no number: x/);
    writeFileSync(join(folder, 'other'), '3');
    renameSync(join(folder, 'other'), file);
    assert.match(await log.next(), /was read again/);

    stop.abort();
    await run;
    assert.deepEqual(applied, [1, 2, 3]);
    const text = await metrics.registry.metrics();
    assert.match(text, /apiserver_authorization_config_controller_automatic_reloads_total\{.*status="success"\} 2/);
    assert.match(text, /apiserver_authorization_config_controller_automatic_reloads_total\{.*status="failure"\} 1/);
    assert.match(text, /apiserver_authorization_config_controller_last_config_info\{.*hash="sha256:4e07408562be/);
  });

  test('that cannot be used at the start is an error', async () => {
    writeFileSync(file, '');
    await assert.rejects(
      FollowedConfiguration.open({ file, subsystem: 'authorization', parse, clock: systemClock, logger: log as never }),
      /no number/,
    );
  });
});

test('authorizers follow their file, but Node and RBAC do not join later', async () => {
  const file = join(folder, 'authorization.yaml');
  const log = new Log();
  const configure = (...types: string[]) => {
    const authorizers = types.map((type) => `- { type: ${type}, name: ${type.toLowerCase()} }`).join('\n');
    writeFileSync(
      `${file}.new`,
      `apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n${authorizers}\n`,
    );
    renameSync(`${file}.new`, file);
  };
  configure('AlwaysDeny');
  const logger = log as never;
  const parse = (text: string): Promise<readonly AuthorizerChoice[]> =>
    parseAuthorizationConfiguration(text, file, { clock: systemClock, logger });
  const authorizationFile = await FollowedConfiguration.open({ file, subsystem: 'authorization', parse, clock: systemClock, logger });
  await using api = await startTestServer({ authorizationModes: authorizationFile.initial, authorizationFile });
  const user = { name: 'somebody', uid: '', groups: [AUTHENTICATED_GROUP], extra: {} };
  const status = async () => (await api.send('GET', '/api/v1/namespaces', { user })).status;
  assert.equal(await status(), 403);

  configure('AlwaysAllow');
  assert.match(await log.next(), /was read again/);
  assert.equal(await status(), 200);

  configure('RBAC');
  assert.match(await log.next(), /authorizer type RBAC is not allowed if it was not enabled at initial server startup/);
  assert.equal(await status(), 200);
});
