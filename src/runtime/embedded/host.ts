// SPDX-License-Identifier: Apache-2.0
// Looks at the host once: which programs are there, which OCI runtime works here, what the process may do.
import { randomBytes } from 'node:crypto';
import { access, constants, mkdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { RuntimeError } from '../runtime.ts';
import { run } from './commands.ts';
import { capabilitiesOfMask } from './oci/capabilities.ts';
import type { HostLimits } from './oci/spec.ts';

export interface Host extends HostLimits {
  /** Paths of programs. */
  readonly conmon: string;
  readonly ociRuntime: string;
  readonly ociRuntimeName: 'runc' | 'crun';
  /** True where one cgroup v2 hierarchy is mounted; else v1 controllers, alone or beside v2. */
  readonly unified: boolean;
}

const CGROUP2_MAGIC = 0x63677270;
const CAP_SYS_RESOURCE = 'CAP_SYS_RESOURCE';

/** Finds what is needed. @throws {RuntimeError} `Unavailable`, naming the missing program and its package. */
export async function probeHost(scratch: string): Promise<Host> {
  if (process.getuid?.() !== 0) throw new RuntimeError('Unavailable', 'the embedded runtime needs root');
  const conmon = await findProgram('conmon');
  if (conmon === undefined) throw new RuntimeError('Unavailable', 'conmon is not installed: install the package "conmon"');
  const status = await readFile('/proc/self/status', 'utf8');
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\w+)`, 'm').exec(status)?.[1] ?? '0';
  const capabilities = capabilitiesOfMask(field('CapBnd'));
  const { type } = await statfs('/sys/fs/cgroup');
  const own = Number((await readFile('/proc/self/oom_score_adj', 'utf8')).trim());
  return {
    conmon,
    ...(await chooseOciRuntime(scratch)),
    capabilities,
    seccomp: /^Seccomp:/m.test(status),
    minOomScoreAdj: capabilities.includes(CAP_SYS_RESOURCE) ? -1000 : own,
    swap: type === CGROUP2_MAGIC || (await accessible('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes', constants.F_OK)),
    unified: type === CGROUP2_MAGIC,
  };
}

/** The first that really runs a container. crun refuses hybrid cgroup hierarchies, and says so only when it runs one. */
async function chooseOciRuntime(scratch: string): Promise<{ ociRuntime: string; ociRuntimeName: 'runc' | 'crun' }> {
  const refusals: string[] = [];
  for (const name of ['runc', 'crun'] as const) {
    const path = await findProgram(name);
    if (path === undefined) continue;
    const refusal = await tryRuntime(path, join(scratch, `probe-${name}-${randomBytes(4).toString('hex')}`));
    if (refusal === undefined) return { ociRuntime: path, ociRuntimeName: name };
    refusals.push(`${name}: ${refusal}`);
  }
  const why = refusals.length === 0 ? 'neither runc nor crun is installed: install the package "runc"' : refusals.join('; ');
  throw new RuntimeError('Unavailable', `no OCI runtime works here: ${why}`);
}

/** Creates a container of an empty root whose program does not exist: all set-up happens, then the lookup fails. */
async function tryRuntime(path: string, folder: string): Promise<string | undefined> {
  const id = folder.slice(folder.lastIndexOf('/') + 1);
  try {
    await mkdir(join(folder, 'rootfs'), { recursive: true });
    const spec = {
      ociVersion: '1.0.2',
      process: { user: { uid: 0, gid: 0 }, args: ['/sagong-probe'], cwd: '/', env: [] },
      root: { path: 'rootfs' },
      mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
      linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }], resources: {} },
    };
    await writeFile(join(folder, 'config.json'), JSON.stringify(spec));
    const { stderr } = await run(path, ['--root', join(folder, 'state'), 'run', '--bundle', folder, id]);
    const words = stderr.toString('utf8').trim();
    return /no such file or directory|not found/.test(words) && words.includes('sagong-probe') ? undefined : words;
  } finally {
    await run(path, ['--root', join(folder, 'state'), 'delete', '--force', id]).catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }
}

export async function findProgram(name: string): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  for (const folder of folders.filter((each) => each !== '')) {
    const path = join(folder, name);
    if (await accessible(path)) return path;
  }
  return undefined;
}

function accessible(path: string, mode = constants.X_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}
