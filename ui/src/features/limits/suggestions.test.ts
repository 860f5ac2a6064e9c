import { describe, expect, it } from "vitest";

import type { Kind } from "~/api/types";

import { suggestions } from "./suggestions";

function kind(name: string, properties: Record<string, unknown>): Kind {
  return {
    name,
    title: name,
    description: "",
    timeout_ms: 1,
    engine_ids: [],
    roles: ["owner"],
    roles_decided: false,
    reaches_machine: false,
    allowed_actions: ["enqueue"],
    payload_schema: { type: "object", properties },
  };
}

const KNOWN = {
  kinds: [
    kind("llm.chat", { provider: { type: "string", examples: ["openai", "ollama"] } }),
    kind("llm.embed", { provider: { type: "string", examples: ["openai"] } }),
    kind("noop", {}),
  ],
  queues: [],
  subject: "ada",
};

describe("names for a limit", () => {
  it("are those the node knows, providers from the kinds that ask them", () => {
    expect(suggestions("kind", KNOWN)).toEqual(["llm.chat", "llm.embed", "noop"]);
    expect(suggestions("provider", KNOWN)).toEqual(["openai", "ollama"]);
    expect(suggestions("user", KNOWN)).toEqual(["ada"]);
    expect(suggestions("key", KNOWN)).toEqual([]);
  });
});
