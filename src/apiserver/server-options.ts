// SPDX-License-Identifier: Apache-2.0
// What a server is told: by flags (command.ts), by a cluster, or by a test.
import type { SecureContextOptions } from 'node:tls';
import type { Clock, Logger } from '#component';
import type { Store } from '#store';
import type { PluginConfigurations } from './admission/admission-configuration.ts';
import type { AggregationOptions } from './aggregation/mod.ts';
import type { AuthenticationOptions } from './auth/authenticators.ts';
import type { AuthorizerChoice } from './auth/authorization-configuration.ts';
import type { FollowedConfiguration } from './auth/followed-configuration.ts';
import type { TokenKeys } from './auth/tokens.ts';
import type { CborCodec } from './encoding/negotiation.ts';
import type { OperationsOptions } from './operations.ts';
import type { KubeletClientConfig } from './proxying/kubelet-connection.ts';

export interface ApiServerOptions extends AuthenticationOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly serving: SecureContextOptions;
  /** PEM; who signs client certificates. */
  readonly clientCa: string | undefined;
  readonly tokenKeys: TokenKeys;
  /** Names of modes, or authorizers that are ready, in order. */
  readonly authorizationModes: readonly AuthorizerChoice[];
  /** What they follow. */
  readonly authorizationFile?: FollowedConfiguration<readonly AuthorizerChoice[]> | undefined;
  readonly enableAdmission: readonly string[];
  readonly disableAdmission: readonly string[];
  /** Of `--admission-control-config-file`, by plugin. */
  readonly admissionConfigurations?: PluginConfigurations | undefined;
  readonly aggregation?: AggregationOptions | undefined;
  readonly serviceClusterIpRange: string;
  readonly serviceNodePortRange: string;
  /** What the endpoints of the `kubernetes` Service say. Port 0: the one listened on. */
  readonly advertiseAddress: string;
  readonly kubelets: KubeletClientConfig;
  readonly maxInFlight: { readonly reading: number; readonly mutating: number };
  /** What a server in production is told. @default as upstream's flags */
  readonly operations?: OperationsOptions;
  /** Given where the server speaks CBOR: `--feature-gates=CBORServingAndStorage=true`. */
  readonly cbor?: CborCodec | undefined;
  /** Encryption at rest; undefined: values are stored as they are. */
  readonly encryption?: { readonly file: string; readonly reload: boolean } | undefined;
}
