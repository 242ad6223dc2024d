// SPDX-License-Identifier: Apache-2.0
// `sagong stop|start COMPONENT`: finds the process a component lives in and asks it; a process that is gone is started.
import { askControl } from './control-socket.ts';
import { type ClusterSettings, CONTROL_PLANE, findNode, type Layout, readSettings } from './layout.ts';
import { findProcess, stopProcess } from './processes.ts';
import { startControlPlane, startNode } from './up.ts';
import { UserError } from './user-error.ts';

const OF_CONTROL_PLANE = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];
const OF_NODES = ['kubelet', 'kube-proxy', 'dns', 'pod-network'];

/** The process of a component, and whether the name is that of a whole process. @throws {UserError} If there is none of that name. */
export function processOf(settings: ClusterSettings, component: string, node: string | undefined): { process: string; whole: boolean } {
  if (component === CONTROL_PLANE || settings.nodes.some(({ name }) => name === component)) return { process: component, whole: true };
  if (OF_CONTROL_PLANE.includes(component)) return { process: CONTROL_PLANE, whole: false };
  if (OF_NODES.includes(component)) return { process: findNode(settings, node ?? settings.nodes[0]?.name ?? '').name, whole: false };
  const known = [...OF_CONTROL_PLANE, ...OF_NODES, CONTROL_PLANE, ...settings.nodes.map(({ name }) => name)];
  throw new UserError(`there is no component ${JSON.stringify(component)}: there are ${known.join(', ')}`);
}

export async function stopComponent(
  layout: Layout,
  component: string,
  node: string | undefined,
  say: (text: string) => void,
): Promise<void> {
  const { process, whole } = processOf(readSettings(layout), component, node);
  if (whole) await stopProcess(layout, process);
  else await askControl(layout.controlSocket(process), { op: 'stop', component });
  say(`${component} has stopped`);
}

export async function startComponent(
  layout: Layout,
  component: string,
  node: string | undefined,
  say: (text: string) => void,
): Promise<void> {
  const settings = readSettings(layout);
  const { process, whole } = processOf(settings, component, node);
  if (findProcess(layout, process) === undefined) {
    if (process === CONTROL_PLANE) await startControlPlane(layout, say);
    else await startNode(layout, findNode(settings, process), say);
  } else if (!whole) {
    await askControl(layout.controlSocket(process), { op: 'start', component });
  }
  say(`${component} runs`);
}
