// SPDX-License-Identifier: Apache-2.0
// Volumes on a real directory: atomic payloads, safe sub-paths, host paths, ownership, tokens.
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { FakeClock, formatTime, silentLogger } from '#component';
import { Paths } from '../paths.ts';
import { podOf, spec } from '../testing/objects.ts';
import { checkPayloadPath, type Payload, PayloadError, writePayload } from './atomic-writer.ts';
import { checkHostPath } from './host-path.ts';
import { plainMounter } from './mounter.ts';
import type { PayloadSources } from './payload.ts';
import { safeSubPath } from './sub-path.ts';
import { Tokens } from './tokens.ts';
import { VolumeManager, VolumesError } from './volume-manager.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'volumes-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const payload = (files: Record<string, string>, mode = 0o644): Payload =>
  new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode }]));

test('writePayload() shows all of the new files or all of the old, and leaves equal ones alone', async (t) => {
  const target = await folder(t);

  assert.equal(await writePayload(target, payload({ a: '1', 'dir/b': '2' })), true);
  const first = await readlink(join(target, '..data'));
  assert.equal(await readFile(join(target, 'dir/b'), 'utf8'), '2');
  assert.equal(await writePayload(target, payload({ a: '1', 'dir/b': '2' })), false);
  assert.equal(await writePayload(target, payload({ c: '3' }, 0o400)), true);

  assert.notEqual(await readlink(join(target, '..data')), first);
  assert.deepEqual(
    (await readdir(target)).filter((name) => !name.startsWith('..')),
    ['c'],
  );
  assert.equal((await stat(join(target, 'c'))).mode & 0o777, 0o400);
  assert.equal((await readdir(target)).filter((name) => name.startsWith('..2')).length, 1);
});

test('a payload never names a place outside its volume', () => {
  for (const path of ['', '/a', '../a', 'a/../b', '..a']) assert.throws(() => checkPayloadPath(path), PayloadError, path);
  fc.assert(
    fc.property(fc.string(), (path) => {
      try {
        checkPayloadPath(path);
      } catch {
        return true;
      }
      return join('/v', path).startsWith('/v');
    }),
  );
});

test('safeSubPath() makes what is missing and never leaves the volume', async (t) => {
  const top = await folder(t);
  const root = join(top, 'volume');
  await mkdir(root);
  await symlink('/etc', join(root, 'out'));
  await mkdir(join(root, 'in'));
  await symlink('in', join(root, 'link'));

  assert.equal(await safeSubPath(root, 'new/deep'), join(root, 'new/deep'));
  assert.equal(await safeSubPath(root, 'link'), join(root, 'in'));
  await assert.rejects(safeSubPath(root, 'out/passwd'), /leads outside the volume/);
  await assert.rejects(safeSubPath(root, '../x'), /must not contain/);
});

test('checkHostPath() checks what must be there and makes what may be made', async (t) => {
  const top = await folder(t);
  await writeFile(join(top, 'file'), '');
  await checkHostPath({ path: join(top, 'made'), type: 'DirectoryOrCreate' });
  await checkHostPath({ path: join(top, 'file'), type: 'File' });
  assert.ok((await stat(join(top, 'made'))).isDirectory());
  await assert.rejects(
    checkHostPath({ path: join(top, 'file'), type: 'Directory' }),
    /hostPath type check failed: .*file is not a directory/,
  );
  await assert.rejects(checkHostPath({ path: join(top, 'no'), type: 'Socket' }), /is not a socket file/);
});

const SOURCES: PayloadSources = {
  configMap: async () => ({ data: { key: 'text' }, binaryData: { raw: Buffer.from([1, 2]).toString('base64') } }) as never,
  secret: async (_uid, _namespace, name) => (name === 's' ? ({ data: { pass: Buffer.from('x').toString('base64') } } as never) : undefined),
  token: async () => 'token',
  addresses: () => ({ podIps: [], hostIps: [] }),
  allocatable: {},
};

function manager(root: string) {
  return new VolumeManager({ paths: new Paths(root), mounter: plainMounter, sources: SOURCES, logger: silentLogger });
}

test('a projected volume joins its sources', async (t) => {
  const root = await folder(t);
  const sources = [
    { configMap: { name: 'c', items: [{ key: 'key', path: 'conf/key' }] } },
    { secret: { name: 's' } },
    { serviceAccountToken: { path: 'token' } },
    { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
  ];
  const volumes = manager(root);

  const ready = await volumes.setUp(podOf({ containers: [spec('web')], volumes: [{ name: 'v', projected: { sources } }] }));

  const at = ready.get('v')?.hostPath ?? '';
  assert.deepEqual(await Promise.all(['conf/key', 'pass', 'token', 'name'].map((path) => readFile(join(at, path), 'utf8'))), [
    'text',
    'x',
    'token',
    'p',
  ]);
  await volumes.tearDown('u');
  await assert.rejects(stat(at));
});

test('what cannot be mounted is refused by name, with all failures told', async (t) => {
  const volumes = [
    { name: 'a', secret: { secretName: 'none' } },
    { name: 'b', persistentVolumeClaim: { claimName: 'c' } },
    { name: 'c', configMap: { name: 'c', items: [{ key: 'no', path: 'x' }] } },
    { name: 'd', emptyDir: {} },
  ];
  const result = manager(await folder(t)).setUp(podOf({ containers: [spec('web')], volumes }));
  await assert.rejects(result, (error: VolumesError) => {
    assert.deepEqual(
      error.failures.map(({ volume, message }) => `${volume}: ${message}`),
      [
        'a: secret "none" not found',
        'b: volume type "persistentVolumeClaim" is not supported by this kubelet',
        'c: configmap references non-existent config key: no',
      ],
    );
    return error instanceof VolumesError;
  });
});

test('an emptyDir is open to all and keeps its files', async (t) => {
  const volumes = manager(await folder(t));
  const pod = podOf({ containers: [spec('web')], volumes: [{ name: 'd', emptyDir: {} }] });
  const at = (await volumes.setUp(pod)).get('d')?.hostPath ?? '';
  assert.equal((await stat(at)).mode & 0o777, 0o777);
  await writeFile(join(at, 'f'), 'x');
  await chmod(at, 0o700);
  await volumes.setUp(pod);
  assert.equal((await stat(at)).mode & 0o777, 0o700);
  assert.equal(await readFile(join(at, 'f'), 'utf8'), 'x');
});

test('tokens are kept until 80 % of their life is over and survive a short outage', async () => {
  const clock = new FakeClock();
  let made = 0;
  let down = false;
  const client = {
    async createSubresource() {
      if (down) throw new Error('down');
      made += 1;
      return { status: { token: `t${made}`, expirationTimestamp: formatTime(clock.now() + 3_600_000) } };
    },
  };
  const tokens = new Tokens(client as never, clock);
  const pod = podOf({ containers: [] });
  const get = () => tokens.get(pod, undefined, 3600);

  assert.deepEqual([await get(), await get()], ['t1', 't1']);
  assert.equal(tokens.nextRefresh('u'), clock.now() + 2_880_000);
  await clock.advance(2_900_000);
  down = true;
  assert.equal(await get(), 't1');
  down = false;
  assert.equal(await get(), 't2');
});
