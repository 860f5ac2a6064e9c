import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode } from "~/test-node";
import { renderPart } from "~/test-render";

import { EnginesPage } from "./page";

const ENGINE = {
  id: "eng_1",
  name: "local",
  location: "local",
  state: "up",
  workers: 2,
  busy: 1,
  shards: 2,
  shard_problems: [],
  allowed_actions: [],
  queued: 0,
  scheduled: 0,
  leased: 1,
};

const AUTOSCALER = {
  enabled: true,
  engine_id: "eng_1",
  workers: 2,
  workers_min: 1,
  workers_max: 8,
  target_latency_ms: 500,
  headroom_factor: 1.3,
  explanation: "two workers hold the peak",
  windows: [],
  decisions: [
    {
      engine_id: "eng_1",
      at: "2026-01-01T00:00:00.000Z",
      from: 1,
      to: 2,
      reason: "claim_delay",
      explanation: "p95 was 1.9 s in three windows",
      claim_delay_p95_ms: 1_900,
      utilization: 1,
      capacity_per_s: 40,
      peak_per_s: 84,
    },
  ],
};

const DRAIN = { on: false, stopping: false, since: null, by: null, reason: null, running: 1, allowed_actions: [] };

function open(engine: Record<string, unknown> = {}, autoscaler: Record<string, unknown> = {}) {
  const node = fakeNode({
    "GET /v1/engines": { body: { items: [{ ...ENGINE, ...engine }] } },
    "GET /v1/autoscaler": { body: { ...AUTOSCALER, ...autoscaler } },
    "GET /drain": { body: DRAIN },
  });
  renderPart(<EnginesPage />);
  return node;
}

describe("the page of the engines", () => {
  it("shows how an engine elsewhere and its machine are, as far as it tells", async () => {
    const gib = 2 ** 30;
    const vitals = { memory_bytes: gib, machine_memory_bytes: 8 * gib, machine_memory_free_bytes: 2 * gib, machine_cpu: 0.254 };
    open({ vitals });
    const engine = await screen.findByRole("region", { name: "local" });
    expect(within(engine).getByText("25 % busy, 2.0 GiB of 8.0 GiB free")).toBeInTheDocument();
    expect(within(engine).getByText("1.0 GiB")).toBeInTheDocument();
  });

  it("shows nothing of an engine that tells nothing", async () => {
    open({ vitals: { memory_bytes: null, machine_cpu: null } });
    const engine = await screen.findByRole("region", { name: "local" });
    expect(within(engine).queryByText("Memory")).not.toBeInTheDocument();
    expect(within(engine).queryByText("Machine")).not.toBeInTheDocument();
  });

  it("tells what happened to a shard, what that means, and what to do", async () => {
    const problem = {
      index: 1,
      state: "quarantined",
      cause: "damaged",
      reason: "a page is malformed",
      since: "2026-01-01T00:00:00.000Z",
      file: "/data/shards/1.db",
      hint: "run `flowork shard repair`",
    };
    open({ shard_problems: [problem] });
    const engine = await screen.findByRole("region", { name: "local" });
    expect(within(engine).getByText("Shard 1 is quarantined: its file is damaged")).toBeInTheDocument();
    expect(within(engine).getByText(/a page is malformed/)).toBeInTheDocument();
    expect(within(engine).getByText("flowork shard repair")).toBeInTheDocument();
    expect(within(engine).getByText("/data/shards/1.db")).toBeInTheDocument();
    expect(within(engine).getByText("2, 1 not well")).toBeInTheDocument();
  });

  it("explains the number of workers and each change of it", async () => {
    open();
    const autoscaler = await screen.findByRole("region", { name: "Autoscaler" });
    await within(autoscaler).findByText("two workers hold the peak");
    expect(within(autoscaler).getByText("2, between 1 and 8")).toBeInTheDocument();
    expect(within(autoscaler).getByRole("listitem")).toHaveTextContent("1 → 2 workers");
    expect(within(autoscaler).getByRole("listitem")).toHaveTextContent("p95 was 1.9 s in three windows");
  });

  it("changes the number of workers by one press each, and gives it back to the load", async () => {
    const user = userEvent.setup({ delay: null });
    const node = open({ allowed_actions: ["set_workers"] });
    const asked = () => node.bodies("PUT /v1/engines/eng_1/workers");
    const answer = (workers: number | null) => {
      const engine = { ...ENGINE, workers: workers ?? 2, workers_fixed: workers, allowed_actions: ["set_workers"] };
      node.answer("PUT /v1/engines/eng_1/workers", engine);
      node.answer("GET /v1/engines", { items: [engine] });
    };
    const control = await screen.findByRole("group", { name: "Workers of local" });
    expect(within(control).queryByRole("button", { name: "By load" })).not.toBeInTheDocument();
    const press = async (name: string, workers: number) => {
      answer(workers);
      await user.click(within(control).getByRole("button", { name }));
      await waitFor(() => expect(within(control).getByRole("status")).toHaveTextContent(`Fixed at ${workers}`));
      await waitFor(() => expect(asked().at(-1)).toEqual({ workers }));
    };
    await press("More", 3);
    await press("Fewer", 2);
    await press("Fewer", 1);
    await user.click(within(control).getByRole("button", { name: "Fewer" }));
    expect(asked(), "none at all is a drain").toHaveLength(3);
    answer(null);
    await user.click(within(control).getByRole("button", { name: "By load" }));
    await waitFor(() => expect(within(control).queryByRole("button", { name: "By load" })).not.toBeInTheDocument());
    expect(asked().at(-1)).toEqual({ workers: null });
  });

  it("offers no change of the workers to those who may not make one", async () => {
    open();
    await screen.findByRole("region", { name: "local" });
    expect(screen.queryByRole("group", { name: "Workers of local" })).not.toBeInTheDocument();
  });

  it("says who fixed the number", async () => {
    open({ workers_fixed: 4, workers: 4 }, { enabled: false, workers: 4, fixed: { workers: 4, since: "2026-01-01T00:00:00.000Z", by: "ada" } });
    const autoscaler = await screen.findByRole("region", { name: "Autoscaler" });
    expect(await within(autoscaler).findByText(/At 4 by ada/)).toBeInTheDocument();
  });

  it("says so where the number is fixed", async () => {
    open({}, { enabled: false, decisions: [], explanation: "the setting workers says 2" });
    await screen.findByText("Fixed number");
    expect(screen.queryByText(/has not changed since/)).not.toBeInTheDocument();
  });
});
