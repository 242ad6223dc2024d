// SPDX-License-Identifier: Apache-2.0
// The cluster's command line (modules of the parts load on demand): up, down, status, logs, kubeconfig, stop, start, restart, image, and the processes' own entry points.
import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { startComponent, stopComponent } from './components.ts';
import { down } from './down.ts';
import { CONTROL_PLANE, DEFAULT_DATA_DIR, findNode, Layout, readSettings } from './layout.ts';
import { status } from './status.ts';
import { startMissing, up } from './up.ts';
import { UserError } from './user-error.ts';

const say = (text: string) => void process.stdout.write(`${text}\n`);

const DEFAULT_PORT = 6443;

interface Shared {
  readonly dataDir: string;
}
interface NodeOption extends Shared {
  readonly node?: string;
}

const layoutOf = ({ dataDir }: Shared) => new Layout(dataDir);

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('want a whole number.');
  return Number(text);
}

function oneOf<T extends string>(...choices: readonly T[]): (text: string) => T {
  return (text) => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw new InvalidArgumentError(`want ${choices.join(' or ')}.`);
    return found;
  };
}

const collect = (value: string, before: readonly string[]) => [...before, value];

/** @throws {UserError} For everything the person at the keyboard can mend. */
export async function runClusterCommand(args: readonly string[], signal: AbortSignal): Promise<void> {
  const program = new Command('sagong').description('A Kubernetes cluster on this machine.').showHelpAfterError().exitOverride();
  addLifecycle(program);
  addComponents(program);
  addImages(program);
  addInternals(program, signal);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode; // Commander has said it already.
  }
}

/** @throws {UserError} If it is no number. */
function portFromEnvironment(): number {
  const text = process.env['SAGONG_PORT'] ?? String(DEFAULT_PORT);
  if (!/^\d+$/.test(text)) throw new UserError(`SAGONG_PORT is ${JSON.stringify(text)}: want a whole number`);
  return Number(text);
}

/** A command with the option that all have. */
function command(parent: Command, text: string, description: string): Command {
  return parent
    .command(text)
    .description(description)
    .option('--data-dir <folder>', 'where the cluster keeps everything', process.env['SAGONG_DATA_DIR'] ?? DEFAULT_DATA_DIR);
}

function addLifecycle(program: Command): void {
  command(program, 'up', 'start a cluster, or what is missing of it')
    .option('--nodes <count>', 'nodes; each further one is a network namespace of its own', wholeNumber, 1)
    .option('--port <port>', 'port of the API', wholeNumber, portFromEnvironment())
    .option('--pod-cidr <network>', 'addresses of Pods', '10.244.0.0/16')
    .option('--service-cidr <network>', 'addresses of Services', '10.96.0.0/16')
    .option('--node-network <network>', 'addresses of nodes', '10.123.0.0/24')
    .option('--runtime <runtime>', 'embedded runs containers, simulated only says so', oneOf('embedded', 'simulated'), 'embedded')
    .option('--kube-apiserver-arg <name=value>', 'a flag of kube-apiserver; may be repeated', collect, [])
    .action(async (options: Parameters<typeof up>[1] & Shared) => {
      const layout = layoutOf(options);
      await up(layout, options, say);
      say(
        `\nThe cluster is ready. Next:\n\n  export KUBECONFIG=${layout.adminConf}\n  kubectl get nodes\n  npm run images    # where no registry can be reached\n  kubectl create -f examples/nginx-pod.yaml`,
      );
    });
  command(program, 'down', 'end the cluster and remove all it made')
    .option('--keep-data', 'leave the data directory: the next "up" goes on with it', false)
    .action((options: Shared & { readonly keepData: boolean }) => down(layoutOf(options), options, say));
  command(program, 'status', 'show processes, components and nodes').action((options: Shared) => status(layoutOf(options), say));
  command(program, 'kubeconfig', "print the administrator's kubeconfig").action((options: Shared) => {
    const layout = layoutOf(options);
    readSettings(layout);
    process.stdout.write(readFileSync(layout.adminConf, 'utf8'));
  });
}

function addComponents(program: Command): void {
  const node = ['--node <name>', 'the node, for kubelet, kube-proxy, dns and pod-network; the first one unless given'] as const;
  command(program, 'stop <component>', 'stop one component; the others go on')
    .option(...node)
    .action((component: string, options: NodeOption) => stopComponent(layoutOf(options), component, options.node, say));
  command(program, 'start [component]', 'start one component, or every process that does not run')
    .option(...node)
    .action(async (component: string | undefined, options: NodeOption) => {
      const layout = layoutOf(options);
      if (component === undefined) await startMissing(layout, readSettings(layout), say);
      else await startComponent(layout, component, options.node, say);
    });
  command(program, 'restart <component>', 'stop one component and start it again')
    .option(...node)
    .action(async (component: string, options: NodeOption) => {
      await stopComponent(layoutOf(options), component, options.node, say);
      await startComponent(layoutOf(options), component, options.node, say);
    });
  command(program, 'logs <component>', 'print the log of a component, or of a process')
    .option(...node)
    .action((component: string, options: NodeOption) => printLog(layoutOf(options), component, options.node));
}

/** Its own lines, and what its process says of its start and its end. */
function isOf(line: string, component: string): boolean {
  return ['component', 'started', 'failed'].some((key) => line.includes(`"${key}":"${component}"`));
}

/** A component's lines out of its process's log. */
async function printLog(layout: Layout, component: string, node: string | undefined): Promise<void> {
  const settings = readSettings(layout);
  const isProcess = component === CONTROL_PLANE || settings.nodes.some(({ name }) => name === component);
  const onNode = ['kubelet', 'kube-proxy', 'dns', 'pod-network', 'runtime'].includes(component);
  const file = layout.log(isProcess ? component : onNode ? findNode(settings, node ?? settings.nodes[0]?.name ?? '').name : CONTROL_PLANE);
  if (!existsSync(file)) throw new UserError(`there is no log ${file} yet`);
  let rest = '';
  for await (const chunk of createReadStream(file, 'utf8')) {
    const lines = `${rest}${chunk as string}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (isProcess || isOf(line, component)) say(line);
  }
}

function addImages(program: Command): void {
  // Loaded on demand: the runtime behind it is large.
  const images = {
    loadImage: async (...given: Parameters<typeof import('./images.ts').loadImage>) => (await import('./images.ts')).loadImage(...given),
    listImages: async (...given: Parameters<typeof import('./images.ts').listImages>) => (await import('./images.ts')).listImages(...given),
    removeImage: async (...given: Parameters<typeof import('./images.ts').removeImage>) =>
      (await import('./images.ts')).removeImage(...given),
  };
  const image = program.command('image').description('container images of the cluster');
  command(image, 'load <file>', 'load a docker or OCI archive').action((file: string, options: Shared) =>
    images.loadImage(layoutOf(options), file, say),
  );
  command(image, 'list', 'list the images')
    .alias('ls')
    .action((options: Shared) => images.listImages(layoutOf(options), say));
  command(image, 'rm <image>', 'remove an image').action((name: string, options: Shared) =>
    images.removeImage(layoutOf(options), name, say),
  );
}

/** What the background processes are started with. */
function addInternals(program: Command, signal: AbortSignal): void {
  const internal = program.command('internal', { hidden: true });
  command(internal, 'control-plane', 'run the control plane').action(async (options: Shared) =>
    (await import('./control-plane.ts')).runControlPlane(layoutOf(options), signal),
  );
  command(internal, 'agent', 'run a node')
    .requiredOption('--node <name>')
    .action(async (options: Shared & { readonly node: string }) =>
      (await import('./agent.ts')).runAgent(layoutOf(options), options.node, signal),
    );
  command(internal, 'clean-node', 'take back what a node made')
    .requiredOption('--node <name>')
    .action(async (options: Shared & { readonly node: string }) => {
      const settings = readSettings(layoutOf(options));
      return (await import('./clean-node.ts')).cleanNode(layoutOf(options), settings, findNode(settings, options.node));
    });
}
