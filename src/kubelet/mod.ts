// SPDX-License-Identifier: Apache-2.0
// kubelet: runs the Pods of one node. One worker per Pod plans purely and acts on the runtime; the node's object, its lease, its
// volumes, probes, clean-up and the HTTPS server stand beside. Drives any `Runtime`; knows no other component but the API.
export { type CgroupOptions, noCgroups, type PodCgroups, systemCgroups } from './container/cgroups.ts';
export { createKubelet, type Kubelet } from './kubelet.ts';
export { type Machine, readMachine } from './node/machine.ts';
export {
  type Authenticate,
  type Authorize,
  DEFAULT_EVICTION,
  DEFAULT_IMAGE_GC,
  type EvictionThresholds,
  type ImageGcPolicy,
  type KubeletOptions,
  type KubeletServerOptions,
  NO_EVICTION,
  type NodeAccess,
  type UserInfo,
} from './options.ts';
export { type Mounter, plainMounter, systemMounter } from './volumes/mounter.ts';
