// SPDX-License-Identifier: Apache-2.0
// The CEL library, loaded when the first schema with rules is seen: a cluster without such schemas never pays for it.
// Whoever compiles rules has awaited `load` before.
type Cel = typeof import('../cel/mod.ts');

export class RuleEngine {
  #cel: Cel | undefined;
  #loading: Promise<Cel> | undefined;

  async load(): Promise<void> {
    this.#loading ??= import('../cel/mod.ts');
    this.#cel = await this.#loading;
  }

  get isLoaded(): boolean {
    return this.#cel !== undefined;
  }

  /** @throws {Error} Before `load`: a caller forgot to wait. */
  get cel(): Cel {
    if (this.#cel === undefined) throw new Error('compile a rule: the expression library is not loaded yet');
    return this.#cel;
  }
}
