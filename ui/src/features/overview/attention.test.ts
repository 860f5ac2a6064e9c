import { describe, expect, it } from "vitest";

import type { Engine, JobList, Queue, Status } from "~/api/types";

import { concerns, type Known } from "./attention";

const NOTHING: Known = {
  status: undefined,
  engines: undefined,
  queues: undefined,
  failed: undefined,
  schedules: undefined,
  brokenModules: undefined,
};

const ENGINE: Engine = {
  id: "eng_1",
  name: "local",
  location: "local",
  state: "up",
  workers: 2,
  busy: 0,
  shards: 2,
  shard_problems: [],
  allowed_actions: [],
  queued: 0,
  scheduled: 0,
  leased: 0,
};

const STATUS: Status = {
  data_dir: "/data",
  drain: { on: false, stopping: false, running: 0, allowed_actions: [] },
  draining: false,
  engines: [],
  memory_bytes: 0,
  notices: [],
  pid: 1,
  started_at: "2026-01-01T00:00:00.000Z",
  url: "http://127.0.0.1:7717",
  vault: "file",
  version: "0.1.0",
};

const QUEUE: Queue = {
  name: "mail",
  paused: false,
  scheduled: 0,
  queued: 3,
  leased: 0,
  enqueued_per_s: 0,
  finished_per_s: 0,
  failed_per_s: 0,
  measured_with_others: false,
  allowed_actions: [],
};

function failed(count: number, next: string | null): JobList {
  const error = { code: "TIMEOUT", message: "took too long" };
  const job = {
    allowed_actions: [],
    attempt: 3,
    attempts_max: 3,
    cancel_requested: false,
    created_at: "2026-01-01T00:00:00.000Z",
    created_by: "owner",
    engine_id: "eng_1",
    kind: "sleep",
    priority: 100,
    queue: "default",
    run_at: "2026-01-01T00:00:00.000Z",
    state: "failed" as const,
    tags: [],
    timeout_ms: 1,
    error,
  };
  return { items: Array.from({ length: count }, (_, index) => ({ ...job, id: `job_${index}` })), next_cursor: next };
}

function titles(known: Partial<Known>): string[] {
  return concerns({ ...NOTHING, ...known }).map(({ title }) => title);
}

describe("what needs attention", () => {
  it("is nothing while all is well, and while nothing is known", () => {
    expect(titles({})).toEqual([]);
    expect(titles({ engines: [ENGINE], queues: [QUEUE], failed: failed(0, null), schedules: [], brokenModules: [] })).toEqual([]);
  });

  it("counts failed jobs, and does not pretend to know those on further pages", () => {
    expect(titles({ failed: failed(1, null) })).toEqual(["1 job has failed for good"]);
    expect(titles({ failed: failed(2, null) })).toEqual(["2 jobs have failed for good"]);
    expect(titles({ failed: failed(50, "next") })).toEqual(["50 and more jobs have failed for good"]);
    expect(concerns({ ...NOTHING, failed: failed(1, null) })[0]).toMatchObject({ remedy: "failed_jobs", detail: "took too long" });
  });

  it("names a shard that is left alone, and an engine that is silent", () => {
    const problem = {
      index: 1,
      state: "quarantined" as const,
      cause: "damaged" as const,
      reason: "a page is malformed",
      since: "2026-01-01T00:00:00.000Z",
      file: "/data/shards/1.db",
      hint: "repair it",
    };
    expect(titles({ engines: [{ ...ENGINE, shard_problems: [problem] }] })).toEqual([
      "local: Shard 1 is quarantined: its file is damaged",
    ]);
    expect(titles({ engines: [{ ...ENGINE, name: "far", state: "stale", queued: 4 }] })).toEqual(["Engine far is not heard of"]);
  });

  it("tells of a paused queue only where jobs wait in it", () => {
    expect(titles({ queues: [{ ...QUEUE, paused: true }] })).toEqual(["Queue mail is paused with 3 jobs waiting"]);
    expect(titles({ queues: [{ ...QUEUE, paused: true, queued: 0 }] })).toEqual([]);
  });

  it("leaves the recovery to its banner, and tells of every other notice", () => {
    const notices = [{ code: "RECOVERY_MODE", message: "recovery" }, { code: "TRAY_MISSING", message: "no tray" }];
    expect(titles({ status: { ...STATUS, notices } })).toEqual(["no tray"]);
  });

  it("comes the worst first", () => {
    const order = concerns({ ...NOTHING, queues: [{ ...QUEUE, paused: true }], failed: failed(1, null) }).map(({ tone }) => tone);
    expect(order).toEqual(["bad", "warn"]);
  });
});
