// SPDX-License-Identifier: Apache-2.0
// The query of a URL as Go's url.ParseQuery reads it: a pair that holds a semicolon, or an escape that is none, counts as not there.

const ODD = /;|%(?![0-9a-fA-F]{2})/;

export function parseQuery(search: string): URLSearchParams {
  if (!ODD.test(search)) return new URLSearchParams(search);
  const pairs = search.split('&').filter((pair) => !ODD.test(pair));
  return new URLSearchParams(pairs.join('&'));
}
