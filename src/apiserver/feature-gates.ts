// SPDX-License-Identifier: Apache-2.0
// `--feature-gates`: the gates of upstream that this server has, with upstream's defaults. Any other is refused by name.
import { FlagError, type FlagSpecs, type Flags } from '#component';

export const FEATURE_GATE_FLAGS: FlagSpecs = {
  'feature-gates': { type: 'strings', help: 'CBORServingAndStorage=true|false (ALPHA - default=false)' },
};

export interface FeatureGates {
  /** Objects are read and answered as CBOR, too (KEP-4222). They are stored as JSON all the same. */
  readonly CBORServingAndStorage: boolean;
}

const DEFAULTS: FeatureGates = { CBORServingAndStorage: false };

/** @throws {FlagError} For a gate that is not known here, or no truth value. */
export function featureGatesFrom(flags: Flags): FeatureGates {
  const gates = { ...DEFAULTS };
  for (const pair of flags.strings('feature-gates')) {
    const [name = '', value = ''] = pair.split('=').map((text) => text.trim());
    if (!Object.hasOwn(DEFAULTS, name)) throw new FlagError(`--feature-gates: unrecognized feature gate: ${name}`);
    if (!/^(true|false)$/i.test(value))
      throw new FlagError(
        `--feature-gates: invalid value of ${pair}, err: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
      );
    gates[name as keyof FeatureGates] = /^true$/i.test(value);
  }
  return gates;
}
