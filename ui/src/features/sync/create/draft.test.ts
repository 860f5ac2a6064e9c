import { describe, expect, it } from "vitest";

import { SYNC_MODES } from "~/sync/state";

import { type Draft, readDraft } from "./draft";
import { PRESETS } from "./presets";

const SESSION = "0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function preset(name: string): Draft {
  const found = PRESETS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no preset ${name}`);
  return found.draft();
}

function request(draft: Draft) {
  const read = readDraft(draft, SESSION);
  if (!read.ok) throw new Error(JSON.stringify(read.errors));
  return read.request;
}

describe("what makes a session", () => {
  it("is within the node's bounds in every preset as it stands", () => {
    for (const { name, draft } of PRESETS) {
      const made = request(draft());
      const times = [made.total_time_ms, made.time_per_cycle_ms, made.max_time_ms, ...made.participants.map((one) => one.total_time_ms)];
      for (const ms of times.filter((time) => time !== undefined)) {
        expect(ms, name).toBeGreaterThanOrEqual(1_000);
        expect(ms, name).toBeLessThanOrEqual(86_400_000);
      }
      expect(made.increment_ms ?? 0, name).toBeLessThanOrEqual(60_000);
      expect(new Set(made.participants.map((one) => one.participant_id)).size, name).toBe(made.participants.length);
      expect(made.participants.map((one) => one.participant_index), name).toEqual(made.participants.map((_, index) => index));
      expect(made.sync_mode !== "per_cycle" || made.time_per_cycle_ms !== undefined, name).toBe(true);
      expect(made.sync_mode !== "per_group" || made.participants.every((one) => one.group_id !== undefined), name).toBe(true);
    }
  });

  it("is a chess clock with an increment, and a stopwatch without an end", () => {
    expect(request(preset("chess"))).toMatchObject({
      session_id: SESSION,
      sync_mode: "per_participant",
      increment_ms: 3_000,
      action_on_timeout: "end_session",
      metadata: { title: "Chess", names: ["White", "Black"] },
    });
    const stopwatch = request(preset("stopwatch"));
    expect(stopwatch.sync_mode).toBe("count_up");
    expect(stopwatch).not.toHaveProperty("max_time_ms");
  });

  it("holds nothing that means nothing in its mode", () => {
    for (const mode of SYNC_MODES) {
      const made = request({ ...preset("chess"), mode, maxMs: 60_000 });
      expect("increment_ms" in made, mode).toBe(mode === "per_participant");
      expect("time_per_cycle_ms" in made, mode).toBe(mode === "per_cycle");
      expect("max_time_ms" in made, mode).toBe(mode === "count_up");
      expect("group_id" in (made.participants[0] ?? {}), mode).toBe(mode === "per_group");
    }
  });

  it("gives the same id to the same group and another to another", () => {
    const [one, other] = preset("own").participants;
    if (one === undefined || other === undefined) throw new Error("two take part");
    const together = request({ ...preset("own"), participants: [{ ...one, group: 2 }, { ...other, group: 2 }] });
    expect(together.participants[0]?.group_id).toBe(together.participants[1]?.group_id);
    const apart = request({ ...preset("own"), participants: [{ ...one, group: 1 }, { ...other, group: 2 }] });
    expect(apart.participants[0]?.group_id).not.toBe(apart.participants[1]?.group_id);
    for (const { group_id: group } of apart.participants) expect(group).toMatch(UUID);
  });

  it("says at which field a length of time is missing", () => {
    const draft = preset("quiz");
    const participants = draft.participants.map((one, index) => (index === 1 ? { ...one, timeMs: undefined } : one));
    const read = readDraft({ ...draft, perCycleMs: undefined, participants }, SESSION);
    expect(read.ok ? [] : read.errors.map(({ field }) => field)).toEqual(["/participants/1/total_time_ms", "/time_per_cycle_ms"]);
  });
});
