// SPDX-License-Identifier: Apache-2.0
// The three controllers of CertificateSigningRequests: approving, signing, cleaning up.
export { csrApproving } from './approver.ts';
export { csrCleaner } from './cleaner.ts';
export { csrSigning } from './signer.ts';
