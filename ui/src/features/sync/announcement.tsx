import { activeOf, reckon } from "~/sync/reckon";
import type { SyncState } from "~/sync/state";
import { nodeClock } from "~/sync/window";
import { useNow } from "~/ui/clock";

import { nameOf } from "./names";
import { useSettled } from "./settled";
import { statusLook } from "./words";

/** What is said is said once it has held for this long. */
const SETTLED_AFTER_MS = 1_200;
/** What is left is told when it falls below one of these, and not in between. */
const MARKS = [
  { belowMs: 10_000, words: "Less than 10 seconds left." },
  { belowMs: 60_000, words: "Less than a minute left." },
] as const;

/** Says to a screen reader who is active, how the session stands and when time gets short; never the running clock. */
export function Announcement({ state }: { state: SyncState }) {
  useNow(state.cycle_started_at !== null);
  const said = useSettled(announcementOf(state, nodeClock.nowMs()), SETTLED_AFTER_MS);
  return (
    <p role="status" aria-label="Session" className="sr-only">
      {said}
    </p>
  );
}

/** What there is to say about a session at an instant. */
export function announcementOf(state: SyncState, nowMs: number): string {
  const active = activeOf(state);
  const parts = [`${statusLook(state.status).title}.`];
  if (active !== undefined) parts.push(`${nameOf(state.metadata, active)} is active.`);
  const { remainingMs } = reckon(state, nowMs);
  if (remainingMs === 0) parts.push("No time left.");
  else if (remainingMs !== null && state.status === "running") {
    const mark = MARKS.find(({ belowMs }) => remainingMs < belowMs);
    if (mark !== undefined) parts.push(mark.words);
  }
  return parts.join(" ");
}
