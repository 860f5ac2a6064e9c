import { secp256k1 } from "@noble/curves/secp256k1.js";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

import { checksummed } from "./address";

/** An uncompressed public key begins with this many bytes that are not part of what an address is made from. */
const PUBLIC_KEY_PREFIX_BYTES = 1;
const ADDRESS_BYTES = 20;
/** What Ethereum adds to the recovery bit of a signature over a message. */
const V_OFFSET = 27;

/** Makes the secret of a new secp256k1 key. */
export function makeSecret(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(secp256k1.utils.randomSecretKey());
}

/** The address of a key, with its checksum. */
export function addressOf(secret: Uint8Array): string {
  const publicKey = secp256k1.getPublicKey(secret, false).slice(PUBLIC_KEY_PREFIX_BYTES);
  return checksummed(`0x${bytesToHex(keccak_256(publicKey).slice(-ADDRESS_BYTES))}`);
}

/**
 * Signs a message as a wallet's `personal_sign` does: 65 bytes in hex, r, s and v.
 * Source: https://eips.ethereum.org/EIPS/eip-191
 */
export function personalSign(message: string, secret: Uint8Array): string {
  const text = utf8ToBytes(message);
  const hash = keccak_256(concatBytes(utf8ToBytes(`\x19Ethereum Signed Message:\n${text.length}`), text));
  const [recovery = 0, ...rs] = secp256k1.sign(hash, secret, { prehash: false, format: "recovered" });
  return `0x${bytesToHex(Uint8Array.from([...rs, recovery + V_OFFSET]))}`;
}

/** The hex form of a text, as wallets take messages: what is not hex, some of them sign as it looks. */
export function hexOf(message: string): string {
  return `0x${bytesToHex(utf8ToBytes(message))}`;
}
