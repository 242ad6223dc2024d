// SPDX-License-Identifier: Apache-2.0
// DefaultTolerationSeconds: a Pod stays five minutes on a node that is not ready or unreachable, unless it says otherwise.
import type { Pod } from '#api/core/v1';
import type { AdmissionPlugin } from './admission.ts';
import { isFor, isOperation } from './match.ts';

const KEYS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;
const SECONDS = 300;

export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  handles: (request) => isFor(request, 'pods') && isOperation(request, 'CREATE', 'UPDATE'),
  admit(request) {
    const { spec } = request.object as unknown as Pod;
    const given = spec.tolerations ?? [];
    const missing = KEYS.filter((key) => !given.some((it) => (!it.key || it.key === key) && (!it.effect || it.effect === 'NoExecute')));
    if (missing.length === 0) return;
    const added = missing.map((key) => ({ key, operator: 'Exists' as const, effect: 'NoExecute' as const, tolerationSeconds: SECONDS }));
    spec.tolerations = [...given, ...added];
  },
};
