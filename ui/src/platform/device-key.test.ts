import "fake-indexeddb/auto";

import { beforeEach, describe, expect, it } from "vitest";

import { isRecord } from "~/json";

import { storedDeviceKey } from "./device-key";

beforeEach(() => storedDeviceKey().forget());

describe("the device key", () => {
  it("is there after a restart, and signs as before", async () => {
    const made = await storedDeviceKey().make();
    await made.keep();
    const kept = await storedDeviceKey().read();
    expect(kept?.address).toBe(made.address);
    expect(await kept?.sign("again")).toBe(await made.sign("again"));
  });

  it("is not kept unless it is wanted", async () => {
    await storedDeviceKey().make();
    expect(await storedDeviceKey().read()).toBeUndefined();
  });

  it("is gone when it is forgotten", async () => {
    await (await storedDeviceKey().make()).keep();
    await storedDeviceKey().forget();
    expect(await storedDeviceKey().read()).toBeUndefined();
  });

  it("is at rest only as what a key that can't be exported has encrypted", async () => {
    await (await storedDeviceKey().make()).keep();
    const kept = await firstRecord();
    expect(Object.keys(kept).sort()).toEqual(["address", "nonce", "sealed", "wrapping"]);
    expect(kept.wrapping.extractable).toBe(false);
    await expect(crypto.subtle.exportKey("raw", kept.wrapping)).rejects.toThrow();
    // The secret has 32 bytes; the seal adds 16 that prove it is whole.
    expect(kept.sealed.byteLength).toBe(48);
  });
});

interface Kept {
  wrapping: CryptoKey;
  sealed: ArrayBuffer;
}

function isKept(value: unknown): value is Kept {
  return isRecord(value) && "wrapping" in value && "sealed" in value;
}

function firstRecord(): Promise<Kept> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("flowork");
    opening.onerror = () => reject(opening.error ?? new Error("not opened"));
    opening.onsuccess = () => {
      const store = opening.result.transaction("device_key").objectStore("device_key");
      const reading = store.openCursor();
      reading.onerror = () => reject(reading.error ?? new Error("not read"));
      reading.onsuccess = () => {
        const first: unknown = reading.result?.value;
        opening.result.close();
        if (isKept(first)) resolve(first);
        else reject(new Error("nothing is kept"));
      };
    };
  });
}
