import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

/**
 * Writes an address with the checksum of EIP-55, which is in the case of its letters.
 * Source: https://eips.ethereum.org/EIPS/eip-55
 */
export function checksummed(address: string): string {
  const digits = address.slice(2).toLowerCase();
  const hash = bytesToHex(keccak_256(utf8ToBytes(digits)));
  return `0x${digits.replace(/[a-f]/g, (digit, at: number) => (Number.parseInt(hash.charAt(at), 16) >= 8 ? digit.toUpperCase() : digit))}`;
}

/** What somebody typed as an address: the address with its checksum, or why it is none. */
export function readAddress(typed: string): { ok: true; address: string } | { ok: false; reason: string } {
  const text = typed.trim();
  if (text === "") return { ok: false, reason: "An address is needed." };
  if (!ADDRESS.test(text)) return { ok: false, reason: "An address is 0x and 40 digits from 0 to 9 and a to f." };
  const address = checksummed(text);
  const digits = text.slice(2);
  const carriesChecksum = digits !== digits.toLowerCase() && digits !== digits.toUpperCase();
  if (carriesChecksum && text !== address) {
    return { ok: false, reason: "One of its digits is mistyped: the checksum in its upper and lower case does not fit." };
  }
  return { ok: true, address };
}
