import { afterEach, expect, it, vi } from "vitest";

import { newId } from "./new-id";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

afterEach(() => vi.unstubAllGlobals());

it("ids are UUIDs and never the same, also where the browser makes none itself", () => {
  const { subtle } = crypto;
  const bare = { getRandomValues: crypto.getRandomValues.bind(crypto) };
  for (const given of [{ ...bare, subtle, randomUUID: crypto.randomUUID.bind(crypto) }, bare]) {
    vi.stubGlobal("crypto", given);
    const ids = Array.from({ length: 100 }, () => newId());
    for (const id of ids) expect(id).toMatch(UUID);
    expect(new Set(ids).size).toBe(100);
  }
});
