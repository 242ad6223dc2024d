// SPDX-License-Identifier: Apache-2.0
// The HTTP library of webhooks and issuers, as a module of our own to load on first need: most servers have neither. (A bundle gives a
// CommonJS package that is imported dynamically a default export only, where here its names are needed.)
export { Agent, buildConnector, fetch, Pool } from 'undici';
