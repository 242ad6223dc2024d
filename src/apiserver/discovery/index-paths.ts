// SPDX-License-Identifier: Apache-2.0
// The paths that `/` lists.
import { RESOURCES } from '#api';

export function indexPaths(): string[] {
  const groups = [
    ...new Set(
      RESOURCES.filter(({ group }) => group !== '').flatMap(({ group, version }) => [`/apis/${group}`, `/apis/${group}/${version}`]),
    ),
  ];
  return [
    '/.well-known/openid-configuration',
    '/api',
    '/api/v1',
    '/apis',
    ...groups.sort(),
    '/healthz',
    '/livez',
    '/metrics',
    '/openid/v1/jwks',
    '/readyz',
    '/version',
  ];
}
