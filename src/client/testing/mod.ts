// SPDX-License-Identifier: Apache-2.0
// client/testing: an API server in memory for the tests of components. Never imported by anything but tests.
export { type Action, FakeApi, type FakeApiOptions, type Interceptor, type Verb } from './fake-api.ts';
