// SPDX-License-Identifier: Apache-2.0
// machinery/cbor: objects as CBOR. A folder of its own, since only a server that was told to speak it loads the library behind it.
export { decodeCbor, encodeCbor, encodeCborList, isCbor } from './cbor-codec.ts';
