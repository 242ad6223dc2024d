// SPDX-License-Identifier: Apache-2.0
// placeholder header, replaced below
import type { Client } from '#client';
import type { Clock, Logger, Metrics } from '#component';
import type { Runtime } from '#runtime';
import type { Machine, MachineUsage } from '../node/machine.ts';
import type { KubeletServerOptions } from '../options.ts';
import type { Paths } from '../paths.ts';
import type { PodView } from '../pod/pod.ts';

export interface ServerDeps extends KubeletServerOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly runtime: Runtime;
  readonly metrics: Metrics | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly paths: Paths;
  pods(): readonly PodView[];
  machine(): Machine | undefined;
  usage(): Promise<MachineUsage>;
}

export class KubeletServer implements AsyncDisposable {
  readonly deps: ServerDeps;
  constructor(deps: ServerDeps) {
    this.deps = deps;
  }
  get port(): number | undefined {
    return undefined;
  }
  async listen(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}
