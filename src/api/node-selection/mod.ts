// SPDX-License-Identifier: Apache-2.0
// Which nodes a Pod may be on: rules that the scheduler, controllers and kubelets apply alike.
export { compileTerm, compileTerms, type NodeMatcher, requiredNodes } from './node-selector.ts';
export { isTolerated, tolerates, untolerated } from './taints.ts';
