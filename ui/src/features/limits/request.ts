import type { FieldError, SetLimitRequest } from "~/api/types";

import { type TargetKind, splitTarget } from "./words";

/** A limit as it is being filled in. */
export interface LimitDraft {
  word: TargetKind;
  name: string;
  /** As typed; empty is no bound. */
  concurrency: string;
  /** As typed; empty is no bound. */
  starts: string;
  perMs: number | undefined;
}

const PER_MS = 60_000;

/** What the form shows first: a limit there is, or an empty one. */
export function draftOf(limit?: { target: string } & SetLimitRequest): LimitDraft {
  const { word, name } = limit === undefined ? { word: undefined, name: "" } : splitTarget(limit.target);
  return {
    word: word ?? "kind",
    name,
    concurrency: typeof limit?.concurrency === "number" ? String(limit.concurrency) : "",
    starts: limit?.rate ? String(limit.rate.count) : "",
    perMs: limit?.rate ? limit.rate.per_ms : PER_MS,
  };
}

type Read = { ok: true; target: string; request: SetLimitRequest } | { ok: false; errors: FieldError[] };

/** Makes the request of a draft, or says what is missing in it. The node checks the bounds. */
export function readDraft({ word, name, concurrency, starts, perMs }: LimitDraft): Read {
  const errors: FieldError[] = [];
  const request: SetLimitRequest = {};
  if (name.trim() === "") errors.push({ field: "/target", message: "Is required." });
  if (concurrency.trim() !== "") {
    const count = whole(concurrency);
    if (count === undefined) errors.push({ field: "/concurrency", message: "Must be a whole number; 0 holds all of them back." });
    else request.concurrency = count;
  }
  if (starts.trim() !== "") {
    const count = whole(starts);
    if (count === undefined || count === 0) errors.push({ field: "/rate/count", message: "Must be a whole number from 1." });
    else if (perMs === undefined || perMs === 0) errors.push({ field: "/rate/per_ms", message: "Must be a length of time." });
    else request.rate = { count, per_ms: perMs };
  }
  if (concurrency.trim() === "" && starts.trim() === "") {
    errors.push({ field: "/concurrency", message: "Fill in this, or how many may start, or both." });
  }
  return errors.length > 0 ? { ok: false, errors } : { ok: true, target: `${word}:${name.trim()}`, request };
}

function whole(typed: string): number | undefined {
  return /^\d{1,9}$/.test(typed.trim()) ? Number(typed.trim()) : undefined;
}
