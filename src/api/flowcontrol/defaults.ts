// SPDX-License-Identifier: Apache-2.0
// SetDefaults of flowcontrol.apiserver.k8s.io/v1.
import { setNonZero, setPointer, structAt } from '../defaulting.ts';
import type { FlowSchema, PriorityLevelConfiguration } from '../generated/flowcontrol/v1.ts';

export function defaultFlowSchema(schema: FlowSchema): void {
  setNonZero(structAt(schema, 'spec'), 'matchingPrecedence', 1000);
}

export function defaultPriorityLevel(level: PriorityLevelConfiguration): void {
  const spec = structAt(level, 'spec');
  if (spec.exempt) {
    setPointer(spec.exempt, 'nominalConcurrencyShares', 0);
    setPointer(spec.exempt, 'lendablePercent', 0);
  }
  if (!spec.limited) return;
  setPointer(spec.limited, 'nominalConcurrencyShares', 30);
  setPointer(spec.limited, 'lendablePercent', 0);
  const response = structAt(spec.limited, 'limitResponse');
  if (!response.queuing) return;
  setNonZero(response.queuing, 'queues', 64);
  setNonZero(response.queuing, 'handSize', 8);
  setNonZero(response.queuing, 'queueLengthLimit', 50);
}
