// SPDX-License-Identifier: Apache-2.0
// component/pki: certificates. Apart from `#component`, because its library takes time to load and few need it.
export * from './certificates.ts';
export * from './signing-key.ts';
