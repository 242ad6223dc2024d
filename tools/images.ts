// SPDX-License-Identifier: Apache-2.0
// `npm run images`: example images from the distribution's packages, as OCI archives under dist/images, with no registry.
// `sagong image load dist/images/nginx.tar` puts one into a cluster. Same packages in, same bytes out.
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ImageSpec, type LayerEntry, packLayer, writeArchive } from '#runtime/embedded';

const OUT = join(import.meta.dirname, '../dist/images');
const PASSWD =
  'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/:/bin/false\n';
const GROUP = 'root:x:0:\ntty:x:5:\nwww-data:x:33:\nnogroup:x:65534:\n';
const NGINX_CONF = `user www-data;
worker_processes 1;
daemon off;
pid /run/nginx.pid;
error_log /dev/stderr notice;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  access_log /dev/stdout;
  sendfile on;
  keepalive_timeout 65;
  server {
    listen 80;
    listen [::]:80;
    root /usr/share/nginx/html;
    index index.html;
  }
}
`;
const WELCOME = `<!DOCTYPE html>
<html>
<head><title>Welcome to nginx!</title></head>
<body><h1>Welcome to nginx!</h1><p>This page comes from a container that sagong runs.</p></body>
</html>
`;

/** A tree of entries by path; folders appear by themselves and come before what is in them. */
class Tree {
  readonly #entries = new Map<string, LayerEntry>();

  folder(path: string, mode = 0o755): this {
    if (path === '' || path === '.' || this.#entries.has(path)) return this;
    this.folder(dirname(path));
    this.#entries.set(path, { path, type: 'directory', mode });
    return this;
  }

  file(path: string, content: string | Uint8Array, mode = 0o644): this {
    this.folder(dirname(path));
    this.#entries.set(path, { path, type: 'file', mode, content: typeof content === 'string' ? Buffer.from(content) : content });
    return this;
  }

  link(path: string, target: string): this {
    this.folder(dirname(path));
    this.#entries.set(path, { path, type: 'symlink', target });
    return this;
  }

  /** A program with the shared libraries it needs, each under the name the loader asks for. */
  program(path: string): this {
    this.file(path.slice(1), readFileSync(path), 0o755);
    for (const library of librariesOf(path)) this.file(library.slice(1), readFileSync(realpathSync(library)), 0o755);
    return this;
  }

  /** A folder of the host, links and files, without what depends on the host. */
  copy(path: string): this {
    for (const name of readdirSync(path).sort()) {
      const source = join(path, name);
      const found = lstatSync(source);
      if (found.isDirectory()) this.copy(source);
      else if (found.isSymbolicLink()) this.link(source.slice(1), readlinkSync(source));
      else if (found.isFile()) this.file(source.slice(1), readFileSync(source), found.mode & 0o777);
    }
    return this;
  }

  entries(): LayerEntry[] {
    return [...this.#entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }
}

/** Absolute paths as `ldd` resolves them; a static program has none. */
function librariesOf(program: string): string[] {
  try {
    const text = execFileSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return [...text.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
  } catch {
    return [];
  }
}

function baseTree(): Tree {
  const busybox = firstOf(['/bin/busybox', '/usr/bin/busybox'], 'busybox-static');
  const tree = new Tree()
    .folder('tmp', 0o1777)
    .folder('root', 0o700)
    .folder('run')
    .folder('proc')
    .folder('sys')
    .folder('dev')
    .folder('home');
  tree.file('etc/passwd', PASSWD).file('etc/group', GROUP).file('bin/busybox', readFileSync(busybox), 0o755);
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets) if (applet !== 'busybox') tree.link(`bin/${applet}`, 'busybox');
  // Some builds of the static busybox crash in wget; the real one is wanted in examples anyway.
  if (existsSync('/usr/bin/wget')) tree.program('/usr/bin/wget').link('bin/wget', '../usr/bin/wget');
  return tree.file('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
}

function nginxTree(): Tree {
  const nginx = firstOf(['/usr/sbin/nginx'], 'nginx-light');
  const tree = baseTree().program(nginx).file('etc/nginx/nginx.conf', NGINX_CONF).file('usr/share/nginx/html/index.html', WELCOME);
  tree.file('etc/nginx/mime.types', readFileSync('/etc/nginx/mime.types'));
  if (existsSync('/usr/bin/curl')) tree.program('/usr/bin/curl');
  for (const name of ['body', 'fastcgi', 'proxy', 'scgi', 'uwsgi']) tree.folder(`var/lib/nginx/${name}`);
  return tree.folder('var/log/nginx').link('usr/bin/nginx', '../sbin/nginx').link('usr/bin/env', '../../bin/busybox');
}

function firstOf(paths: readonly string[], packageName: string): string {
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${paths[0]} is missing: install the package "${packageName}"`);
  return found;
}

const IMAGES: readonly { readonly file: string; readonly tree: () => Tree; readonly spec: ImageSpec }[] = [
  {
    file: 'busybox.tar',
    tree: baseTree,
    spec: { references: ['busybox:latest', 'busybox:1.35', 'busybox:1.36', 'busybox:1.28', 'busybox:stable'], cmd: ['sh'] },
  },
  {
    file: 'nginx.tar',
    tree: nginxTree,
    spec: {
      references: ['nginx:latest', 'nginx:alpine', 'nginx:stable', 'nginx:1.14.2', 'nginx:1.16.1', 'nginx:1.25', 'nginx:1.27'],
      cmd: ['nginx', '-c', '/etc/nginx/nginx.conf'],
      exposedPorts: ['80/tcp'],
      stopSignal: 'SIGQUIT',
    },
  },
];

/** Writes all of them; returns the files. */
export async function buildImages(folder = OUT): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (const { file, tree, spec } of IMAGES) {
    const path = join(folder, file);
    await writeArchive(path, [await packLayer(tree().entries())], spec);
    files.push(path);
  }
  return files;
}

if (import.meta.main) for (const file of await buildImages()) console.log(file);
