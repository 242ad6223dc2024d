// SPDX-License-Identifier: Apache-2.0
// What Go's netip.ParseAddr says of a text that is no address: the first thing it stumbles over, reading from the left, and the
// rest of the text there. Only asked of texts that are known to be none.

function at(problem: string, rest: string): string {
  return rest === '' ? problem : `${problem} (at ${JSON.stringify(rest)})`;
}

/** Says what is wrong with `text` as an address; '' for a text with nothing wrong. */
export function addressProblem(text: string): string {
  const kind = /[.:%]/.exec(text)?.[0];
  if (kind === '.') return dottedProblem(text);
  if (kind === ':') return colonProblem(text);
  return kind === undefined ? 'unable to parse IP' : 'missing IPv6 address';
}

function dottedProblem(text: string): string {
  let fields = 0;
  let field = '';
  for (const [index, char] of [...text].entries()) {
    if (/\d/.test(char)) {
      if (field === '0') return 'IPv4 field has octet with leading zero';
      field += char;
      if (Number(field) > 255) return 'IPv4 field has value >255';
    } else if (char === '.') {
      if (field === '' || index === text.length - 1) return at('IPv4 field must have at least one digit', text.slice(index));
      if (fields === 3) return 'IPv4 address too long';
      fields += 1;
      field = '';
    } else return at('unexpected character', text.slice(index));
  }
  return fields < 3 ? 'IPv4 address too short' : '';
}

function colonProblem(text: string): string {
  const zone = text.indexOf('%');
  if (zone >= 0 && zone === text.length - 1) return 'zone must be a non-empty string';
  let rest = zone < 0 ? text : text.slice(0, zone);
  let shortened = rest.startsWith('::');
  if (shortened) rest = rest.slice(2);
  let groups = 0;
  while (groups < 8 && rest !== '') {
    const digits = /^[\da-f]*/i.exec(rest)?.[0] ?? '';
    if (digits.length > 4) return at('each group must have four or less digits', rest);
    if (digits === '') return at('each colon-separated field must have at least one digit', rest);
    if (rest[digits.length] === '.') return embeddedProblem(rest, groups, shortened);
    groups += 1;
    rest = rest.slice(digits.length);
    if (rest === '') break;
    if (!rest.startsWith(':')) return at('unexpected character, want colon', rest);
    if (rest.length === 1) return at('colon must be followed by more characters', rest);
    rest = rest.slice(1);
    if (!rest.startsWith(':')) continue;
    if (shortened) return at('multiple :: in address', rest);
    shortened = true;
    rest = rest.slice(1);
  }
  if (rest !== '') return at('trailing garbage after address', rest);
  if (groups === 8) return shortened ? 'the :: must expand to at least one field of zeros' : '';
  return shortened ? '' : 'address string too short';
}

function embeddedProblem(rest: string, groups: number, shortened: boolean): string {
  if (!shortened && groups !== 6) return at('embedded IPv4 address must replace the final 2 fields of the address', rest);
  return groups > 6 ? at('too many hex fields to fit an embedded IPv4 at the end of the address', rest) : dottedProblem(rest);
}
