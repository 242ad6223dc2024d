// SPDX-License-Identifier: Apache-2.0
// aggregation: APIServices. Requests for their groups go to the extension server behind them (with-aggregation.ts,
// extension-server.ts), whose availability is checked (availability.ts) and which discovery and OpenAPI show (remote-*.ts); the
// server's own groups and custom resources are registered as local APIServices (priorities.ts). aggregator.ts drives all of it,
// aggregation-layer.ts is what the server sees.
export { AggregationLayer, type AggregationOptions } from './aggregation-layer.ts';
export type { RequestHeaderConfig } from './authentication-config-map.ts';
export { AGGREGATION_FLAGS, aggregationFrom, FRONT_PROXY_NAME, type OwnFrontProxy } from './command-options.ts';
export { builtInGroupPriority, localApiService } from './priorities.ts';
