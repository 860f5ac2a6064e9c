import { describe, expect, it } from "vitest";

import { addressOf, hexOf, makeSecret, personalSign } from "./signing";

const SECRET = new Uint8Array(32).fill(0x11);

describe("a key", () => {
  it("has the address that another implementation gives it", () => {
    expect(addressOf(SECRET)).toBe("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
  });

  it("signs messages as another implementation does, whatever is in them", () => {
    // Source: viem's `signMessage` with the same secret.
    expect(personalSign("hello", SECRET)).toBe(
      "0x9208d5f86a1f5d9c1908dbb42969925675ceb388616fc5b186c248e4967a03e02e9d28a1adcb8cce60ebcef9756dee20522a2987afea3055f4edd8380d425f891b",
    );
    expect(personalSign("für Flowork ✓\nNonce: 1", SECRET)).toBe(
      "0x077d57039a8719d9c47e7d7fd5d7123862e85ef347fd3af81bb923b5092953ec023b968913faf61faea48f6c408d5f90c5718cb05d14bc198b53e93f903db84e1b",
    );
  });

  it("is made anew each time", () => {
    expect(addressOf(makeSecret())).not.toBe(addressOf(makeSecret()));
  });

  it("sends text to a wallet as hex", () => {
    expect(hexOf("ü\n")).toBe("0xc3bc0a");
  });
});
