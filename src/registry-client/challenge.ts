// SPDX-License-Identifier: Apache-2.0
// The `WWW-Authenticate` header (RFC 9110 section 11.6.1) as registries send it: one challenge, or several of which Bearer wins.

export interface Challenge {
  readonly scheme: 'bearer' | 'basic';
  readonly parameters: Readonly<Record<string, string>>;
}

/** Undefined where neither Bearer nor Basic is offered. Never throws. */
export function parseChallenge(header: string): Challenge | undefined {
  const parts = [...header.matchAll(/(?:^|,\s*)(bearer|basic)(?:\s+|$)/gi)];
  const found = parts.map((match, index) => {
    const end = parts[index + 1]?.index ?? header.length;
    const parameters: Record<string, string> = {};
    for (const pair of header.slice(match.index + match[0].length, end).matchAll(/([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g))
      parameters[(pair[1] ?? '').toLowerCase()] = pair[2]?.replace(/\\(.)/g, '$1') ?? pair[3] ?? '';
    return { scheme: (match[1] ?? '').toLowerCase() as 'bearer' | 'basic', parameters };
  });
  return found.find((challenge) => challenge.scheme === 'bearer') ?? found[0];
}
