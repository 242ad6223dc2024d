// SPDX-License-Identifier: Apache-2.0
// `$(VAR)` in commands, arguments and values: known names are replaced, `$$(VAR)` is the text `$(VAR)`, unknown ones stay.
// @source upstream third_party/forked/golang/expansion

/** @param read The value of a name, undefined where there is none. */
export function expand(text: string, read: (name: string) => string | undefined): string {
  let result = '';
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0 || dollar + 1 >= text.length) return result + text.slice(at);
    result += text.slice(at, dollar);
    const next = text[dollar + 1];
    if (next === '$') {
      result += '$';
      at = dollar + 2;
    } else if (next === '(') {
      const close = text.indexOf(')', dollar + 2);
      if (close < 0) {
        result += '$(';
        at = dollar + 2;
        continue;
      }
      const name = text.slice(dollar + 2, close);
      result += read(name) ?? `$(${name})`;
      at = close + 1;
    } else {
      result += `$${next}`;
      at = dollar + 2;
    }
  }
  return result;
}
