// SPDX-License-Identifier: Apache-2.0
// The HTTP library, as a module of our own to load on first need: a bundle gives a CommonJS package that is imported dynamically
// a default export only, where here its names are needed.
export { EnvHttpProxyAgent, request } from 'undici';
