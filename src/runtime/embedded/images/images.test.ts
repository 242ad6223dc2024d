// SPDX-License-Identifier: Apache-2.0
// Layers and archives: what is unpacked, what is refused, and that nothing is left behind by what is damaged.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { lstat, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type Header, pack } from 'tar-stream';
import { digestOf } from '#registry-client';
import { reason } from '../../runtime.contract.ts';
import { must } from '../commands.ts';
import { findProgram } from '../host.ts';
import { nativeProgram } from '../native-program.ts';
import { EmbeddedImages, ImageStore, importRootfs, LayerError, loadArchive, loadImageArchive, packLayer, writeArchive } from './mod.ts';
import { unpackLayer } from './unpack.ts';

const never = new AbortController().signal;

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sagong-images-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

type Entry = Partial<Header> & { name: string; text?: string };

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { text, ...header } of entries)
    tar.entry({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, ...header }, text ?? '');
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function unpack(t: TestContext, entries: readonly Entry[]): Promise<string> {
  const folder = await folderOf(t);
  mkdirSync(join(folder, 'layer'));
  await unpackLayer(Readable.from([await tarOf(entries)]), join(folder, 'layer'), () => nativeProgram(join(folder, 'bin')));
  return join(folder, 'layer');
}

test('unpackLayer() keeps files, folders, links, modes and times', async (t) => {
  const mtime = new Date(1_600_000_000_000);
  const root = await unpack(t, [
    { name: './', type: 'directory', mode: 0o750 },
    { name: 'bin/', type: 'directory', mode: 0o700, mtime },
    { name: 'bin/a', text: 'hello', mode: 0o4755, mtime },
    { name: 'bin/b', type: 'link', linkname: '/bin/a' },
    { name: 'c', type: 'symlink', linkname: '/bin/a' },
    { name: 'deep/er/d', text: 'made parents' },
  ]);
  assert.equal(await readFile(join(root, 'bin/b'), 'utf8'), 'hello');
  assert.equal((await stat(join(root, 'bin/a'))).mode & 0o7777, 0o4755);
  assert.equal((await stat(join(root, 'bin/a'))).nlink, 2);
  assert.equal((await stat(join(root, 'bin'))).mtimeMs, mtime.getTime());
  assert.equal((await stat(root)).mode & 0o777, 0o750);
  assert.ok((await lstat(join(root, 'c'))).isSymbolicLink());
  assert.equal(await readFile(join(root, 'deep/er/d'), 'utf8'), 'made parents');
});

const ESCAPES: readonly (readonly [string, readonly Entry[]])[] = [
  ['a path with ..', [{ name: '../outside', text: 'x' }]],
  ['a path with .. in the middle', [{ name: 'a/../../outside', text: 'x' }]],
  ['a hard link with ..', [{ name: 'a', type: 'link', linkname: '../../etc/passwd' }]],
  ['a hard link to nothing inside', [{ name: 'a', type: 'link', linkname: '/etc/passwd' }]],
  ['a whiteout of ..', [{ name: '.wh...', text: '' }]],
];
for (const [what, entries] of ESCAPES)
  test(`unpackLayer() refuses ${what}`, async (t) => {
    await assert.rejects(unpack(t, entries), LayerError);
  });

test('unpackLayer() resolves links on the way inside the layer, never outside', async (t) => {
  const outside = await folderOf(t);
  const root = await unpack(t, [
    { name: 'out', type: 'symlink', linkname: outside },
    { name: 'out/file', text: 'x' },
    { name: 'up', type: 'symlink', linkname: '../../../..' },
    { name: 'up/file', text: 'y' },
    { name: 'swap/', type: 'directory' },
    { name: 'swap/fifo', type: 'fifo' },
    { name: 'swap', type: 'symlink', linkname: outside },
  ]);
  assert.deepEqual(await readdir(outside), []);
  assert.equal(await readFile(join(root, outside, 'file'), 'utf8'), 'x');
  assert.equal(await readFile(join(root, 'file'), 'utf8'), 'y');
});

const root = process.getuid?.() === 0 && (await findProgram('cc')) !== undefined;
test(`unpackLayer() turns whiteouts into 0:0 devices${root ? '' : ' (skipped: not root or no compiler)'}`, { skip: !root }, async (t) => {
  const folder = await unpack(t, [
    { name: 'etc/.wh.gone', text: '' },
    { name: 'var/.wh..wh..opq', text: '' },
    { name: 'var/new', text: 'x' },
  ]);
  const gone = await lstat(join(folder, 'etc/gone'));
  assert.ok(gone.isCharacterDevice());
  assert.equal(gone.rdev, 0);
  const lower = await folderOf(t);
  mkdirSync(join(lower, 'low/var'), { recursive: true });
  mkdirSync(join(lower, 'low/etc'));
  for (const name of ['var/old', 'etc/gone']) writeFileSync(join(lower, 'low', name), '');
  mkdirSync(join(lower, 'all'));
  await must('mount', ['-t', 'overlay', '-o', `ro,lowerdir=${folder}:${join(lower, 'low')}`, 'overlay', join(lower, 'all')]);
  try {
    assert.deepEqual(await readdir(join(lower, 'all/var')), ['new']);
    assert.deepEqual(await readdir(join(lower, 'all/etc')), []);
  } finally {
    await must('umount', [join(lower, 'all')]);
  }
});

test('loadArchive() and importRootfs() store an image under all its names, and another process sees it at once', async (t) => {
  const folder = await folderOf(t);
  const store = await ImageStore.open(join(folder, 'root'));
  const layer = await packLayer([{ path: 'hello', type: 'file', content: Buffer.from('hi') }]);
  await writeArchive(join(folder, 'a.tar'), [layer], { references: ['app:v1', 'app:v2'], cmd: ['/hello'], user: 'nobody' });
  await writeFile(join(folder, 'a.tar.gz'), gzipSync(await readFile(join(folder, 'a.tar'))));

  const [image] = await loadImageArchive(join(folder, 'root'), join(folder, 'a.tar.gz'));

  assert.deepEqual(image?.tags, ['docker.io/library/app:v1', 'docker.io/library/app:v2']);
  assert.equal(store.find('app:v2')?.user, 'nobody');
  assert.deepEqual((await store.config(image?.id ?? '')).cmd, ['/hello']);
  const [name] = await store.layersOf(image?.id ?? '');
  assert.equal(await readFile(join(folder, 'root/layers', name ?? '', 'hello'), 'utf8'), 'hi');
  await store.remove('app:v1');
  assert.deepEqual(store.list(), []);
  assert.deepEqual(await readdir(join(folder, 'root/layers')), []);
  mkdirSync(join(folder, 'tree'));
  const imported = await importRootfs(join(folder, 'root'), join(folder, 'tree'), { references: ['empty'], cmd: ['/x'] });
  assert.equal(store.find('empty:latest')?.id, imported.id);
});

test('loadArchive() refuses damage and keeps nothing', async (t) => {
  const folder = await folderOf(t);
  const store = await ImageStore.open(folder);
  const layer = await packLayer([{ path: 'hello', type: 'file', content: Buffer.from('hi') }]);
  await writeArchive(join(folder, 'a.tar'), [layer], { references: ['app'], cmd: ['/hello'] });
  const whole = await readFile(join(folder, 'a.tar'));
  const damaged = Buffer.from(whole);
  damaged[damaged.lastIndexOf('hi')] = 'H'.charCodeAt(0);

  await assert.rejects(loadArchive(store, Readable.from([whole.subarray(0, whole.length / 2)])), LayerError);
  await assert.rejects(loadArchive(store, Readable.from([damaged])), /digest mismatch/);
  await assert.rejects(loadArchive(store, Readable.from([Buffer.alloc(1024)])), /neither manifest.json nor index.json/);
  const lacking = await tarOf([{ name: 'manifest.json', text: '[{"Config":"c.json","Layers":["l.tar"]}]' }]);
  await assert.rejects(loadArchive(store, Readable.from([lacking])), /archive lacks "c.json"/);
  assert.deepEqual([store.list(), await readdir(join(folder, 'layers')), await readdir(join(folder, 'tmp'))], [[], [], []]);
});

test('loadArchive() loads or throws an Error, for any bytes', async (t) => {
  const store = await ImageStore.open(await folderOf(t));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 2048 }), async (bytes) => {
      await assert.rejects(loadArchive(store, Readable.from([Buffer.from(bytes)])), Error);
    }),
    { numRuns: 50 },
  );
});

interface Registry {
  readonly host: string;
  readonly blobs: Map<string, Buffer>;
  readonly seen: string[];
}

/** One image behind a token service that wants a password. */
async function registry(t: TestContext, tamper: (path: string, body: Buffer) => Buffer = (_path, body) => body): Promise<Registry> {
  const layer = await packLayer([{ path: 'hello', type: 'file', content: Buffer.from('hi') }]);
  const packed = gzipSync(layer);
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: [digestOf(layer)] }, config: {} }));
  const describe = (bytes: Uint8Array): object => ({ mediaType: 'x', digest: digestOf(bytes), size: bytes.length });
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config: describe(config), layers: [describe(packed)] }));
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const entries = [
    { ...describe(Buffer.from('other')), platform: { os: 'windows', architecture: arch } },
    { ...describe(manifest), platform: { os: 'linux', architecture: arch } },
  ];
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: entries }));
  const blobs = new Map([config, packed, manifest].map((bytes) => [digestOf(bytes), bytes]));
  const seen: string[] = [];
  const answer: RequestListener = (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://registry');
    seen.push(pathname);
    const password = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    if (pathname === '/token' && request.headers.authorization !== password) return void response.writeHead(401).end();
    if (pathname === '/token') return void response.end(JSON.stringify({ token: `t-${searchParams.get('scope')}` }));
    if (request.headers.authorization !== 'Bearer t-repository:team/app:pull') {
      const realm = `http://${request.headers.host}/token`;
      response.setHeader('www-authenticate', `Bearer realm="${realm}",service="s",scope="repository:team/app:pull"`);
      return void response.writeHead(401).end();
    }
    const name = pathname.split('/').at(-1) ?? '';
    const body = name === 'v1' ? index : blobs.get(name);
    if (body === undefined) return void response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"unknown"}]}');
    response.end(tamper(pathname, body));
  };
  const server = createServer(answer).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, blobs, seen };
}

test('pull() authenticates, chooses the platform, verifies and stores tag and digest', async (t) => {
  const { host } = await registry(t);
  const images = new EmbeddedImages(await ImageStore.open(await folderOf(t)), {});

  const image = await images.pull(`${host}/team/app:v1`, { username: 'me', password: 'secret' }, never);

  assert.deepEqual(image.tags, [`${host}/team/app:v1`]);
  assert.equal(image.digests.length, 1);
  assert.equal(images.find(image.digests[0] ?? '')?.id, image.id);
});

test('pull() without the right credentials, or of an absent tag, fails in the words users know', async (t) => {
  const { host } = await registry(t);
  const images = new EmbeddedImages(await ImageStore.open(await folderOf(t)), {});
  const auth = { username: 'me', password: 'secret' };
  await assert.rejects(images.pull(`${host}/team/app:v1`, undefined, never), /failed to authorize/);
  await assert.rejects(images.pull(`${host}/team/app:v9`, auth, never), /failed to resolve reference ".*team\/app:v9": .*: not found/);
  await assert.rejects(images.pull('127.0.0.1:1/app', undefined, never), /dial tcp 127.0.0.1:1: connect: connection refused/);
  await assert.rejects(images.pull('127.0.0.1:1/app', undefined, never), reason('ErrImagePull'));
});

test('pull() refuses a layer or manifest with another digest and keeps nothing', async (t) => {
  const folder = await folderOf(t);
  const images = new EmbeddedImages(await ImageStore.open(folder), {});
  const auth = { username: 'me', password: 'secret' };
  const layers = await registry(t, (path, body) => (path.includes('/blobs/') && body[0] === 0x1f ? gzipSync(Buffer.alloc(2048)) : body));
  await assert.rejects(images.pull(`${layers.host}/team/app:v1`, auth, never), /mismatch/);
  const manifests = await registry(t, (path, body) => (path.includes('/manifests/sha256') ? Buffer.from('{}') : body));
  await assert.rejects(images.pull(`${manifests.host}/team/app:v1`, auth, never), /manifest digest mismatch/);
  assert.deepEqual([images.list(), await readdir(join(folder, 'layers')), await readdir(join(folder, 'tmp'))], [[], [], []]);
});
