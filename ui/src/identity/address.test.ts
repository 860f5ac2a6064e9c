import { describe, expect, it } from "vitest";

import { checksummed, readAddress } from "./address";

// Source: the test cases of EIP-55.
const ADDRESSES = [
  "0x52908400098527886E0F7030069857D2E4169EE7",
  "0xde709f2102306220921060314715629080e2fb77",
  "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
  "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
  "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
  "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
];

describe("an address", () => {
  it("carries its checksum in the case of its letters", () => {
    for (const address of ADDRESSES) expect(checksummed(address.toLowerCase())).toBe(address);
  });

  it("is read with its checksum, without one, and with space around it", () => {
    for (const address of ADDRESSES) {
      expect(readAddress(address)).toEqual({ ok: true, address });
      expect(readAddress(`  ${address.toLowerCase()} `)).toEqual({ ok: true, address });
    }
  });

  it("is refused with the reason when a digit is mistyped or missing", () => {
    expect(reason("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD")).toMatch(/mistyped/);
    expect(reason("0x5aAeb6053F")).toMatch(/40 digits/);
    expect(reason("vitalik.eth")).toMatch(/40 digits/);
    expect(reason(" ")).toMatch(/needed/);
  });
});

function reason(typed: string): string | undefined {
  const read = readAddress(typed);
  return read.ok ? undefined : read.reason;
}
