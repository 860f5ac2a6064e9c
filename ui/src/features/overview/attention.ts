import type { BrokenModule, Engine, JobList, Notice, Queue, Schedule, Status } from "~/api/types";
import { shardMeaning, shardWords } from "~/features/engines/look";
import { isRecovery } from "~/features/status/recovery";
import type { JobFilters } from "~/paths";

/** Where a person deals with it. */
export type Remedy = "failed_jobs" | "queues" | "engines" | "schedules" | "kinds" | "status";

/** One thing that a person should look at. */
export interface Concern {
  key: string;
  tone: "bad" | "warn";
  title: string;
  detail: string | undefined;
  remedy: Remedy;
}

/** What is known of the node; `undefined` is not known yet. */
export interface Known {
  status: Status | undefined;
  engines: readonly Engine[] | undefined;
  queues: readonly Queue[] | undefined;
  failed: JobList | undefined;
  schedules: readonly Schedule[] | undefined;
  brokenModules: readonly BrokenModule[] | undefined;
}

export const FAILED: JobFilters = { state: "failed" };

/** Gathers what needs a person, the worst first. A drain and a recovery are not among it: banners on every page tell of them. */
export function concerns(known: Known): Concern[] {
  const all = [
    ...(known.engines ?? []).flatMap(aboutEngine),
    ...aboutFailed(known.failed),
    ...(known.brokenModules ?? []).map(aboutModule),
    ...(known.schedules ?? []).flatMap(aboutSchedule),
    ...(known.queues ?? []).flatMap(aboutQueue),
    ...(known.status?.notices ?? []).filter((notice) => !isRecovery(notice)).map(aboutNotice),
  ];
  return [...all.filter(({ tone }) => tone === "bad"), ...all.filter(({ tone }) => tone === "warn")];
}

function aboutEngine(engine: Engine): Concern[] {
  const shards = engine.shard_problems.map(
    (problem): Concern => ({
      key: `${engine.id} ${problem.index}`,
      tone: problem.state === "quarantined" ? "bad" : "warn",
      title: `${engine.name}: ${shardWords(problem)}`,
      detail: shardMeaning(problem),
      remedy: "engines",
    }),
  );
  if (engine.state !== "stale") return shards;
  const waiting = engine.queued === 0 ? undefined : `It has ${count(engine.queued, "job")} waiting.`;
  return [{ key: engine.id, tone: "bad", title: `Engine ${engine.name} is not heard of`, detail: waiting, remedy: "engines" }, ...shards];
}

function aboutFailed(failed: JobList | undefined): Concern[] {
  if (failed === undefined || failed.items.length === 0) return [];
  const more = failed.next_cursor ? " and more" : "";
  return [
    {
      key: "failed",
      tone: "bad",
      title: `${failed.items.length}${more} ${failed.items.length === 1 && more === "" ? "job has" : "jobs have"} failed for good`,
      detail: failed.items[0]?.error?.message,
      remedy: "failed_jobs",
    },
  ];
}

function aboutModule({ id, reason }: BrokenModule): Concern {
  return { key: `module ${id}`, tone: "bad", title: `The module ${id} can't be used`, detail: reason, remedy: "kinds" };
}

function aboutSchedule({ id, name, last_error: error }: Schedule): Concern[] {
  if (!error) return [];
  return [{ key: id, tone: "warn", title: `The last run of ${name} was refused`, detail: error.message, remedy: "schedules" }];
}

function aboutQueue({ name, paused, queued }: Queue): Concern[] {
  if (!paused || queued === 0) return [];
  return [{ key: `queue ${name}`, tone: "warn", title: `Queue ${name} is paused with ${count(queued, "job")} waiting`, detail: undefined, remedy: "queues" }];
}

function aboutNotice({ code, message, hint }: Notice): Concern {
  return { key: code, tone: "warn", title: message, detail: hint ?? undefined, remedy: "status" };
}

function count(number: number, what: string): string {
  return number === 1 ? `1 ${what}` : `${number.toLocaleString()} ${what}s`;
}
