import { Ban, CircleCheck, CirclePause, Clock3, type LucideIcon, Play, TimerOff } from "lucide-react";

import type { SessionAction, SessionEventName, SessionStatus, SyncMode, TimeoutAction } from "~/sync/state";
import type { Tone } from "~/ui/pill";

/** A mode in words. */
export const MODES: Record<SyncMode, { title: string; detail: string }> = {
  per_participant: { title: "Time for each", detail: "The time of whoever is active runs down." },
  per_cycle: { title: "Time for each turn", detail: "Every turn begins with the same time." },
  per_group: { title: "Time for each group", detail: "All of a group share one time." },
  global: { title: "One countdown for all", detail: "One time runs down, whoever is active." },
  count_up: { title: "Stopwatch", detail: "Time is counted up, to an end if there is one." },
};

/** What the node does when time has run out, in words. */
export const TIMEOUTS: Record<TimeoutAction, { title: string; detail: string }> = {
  none: { title: "Mark it and run on", detail: "Whoever ran out of time is marked; somebody has to switch." },
  auto_advance: { title: "Switch to the next", detail: "The session ends when nobody has time left." },
  end_session: { title: "End the session", detail: "Nothing can be changed after that." },
};

/** How a status looks. */
export function statusLook(status: SessionStatus): { title: string; tone: Tone; icon: LucideIcon } {
  switch (status) {
    case "pending":
      return { title: "Not started", tone: "later", icon: Clock3 };
    case "running":
      return { title: "Running", tone: "run", icon: Play };
    case "paused":
      return { title: "Paused", tone: "warn", icon: CirclePause };
    case "completed":
      return { title: "Completed", tone: "good", icon: CircleCheck };
    case "cancelled":
      return { title: "Cancelled", tone: "plain", icon: Ban };
    case "expired":
      return { title: "Time ran out", tone: "bad", icon: TimerOff };
  }
}

/** What the button of an action says. */
export const ACTIONS: Record<SessionAction, string> = {
  start: "Start",
  switch: "Switch",
  pause: "Pause",
  resume: "Resume",
  complete: "Complete",
  cancel: "Cancel session",
};

/** What happened, in words. */
export function eventWords(event: SessionEventName, who: string | undefined): string {
  switch (event) {
    case "session_created":
      return "Made";
    case "started":
      return who === undefined ? "Started" : `Started with ${who}`;
    case "cycle_switched":
      return who === undefined ? "Switched" : `Switched to ${who}`;
    case "paused":
      return "Paused";
    case "resumed":
      return "Resumed";
    case "participant_expired":
      return who === undefined ? "Time ran out" : `Time of ${who} ran out`;
    case "completed":
      return "Completed";
    case "cancelled":
      return "Cancelled";
    case "deleted":
      return "Deleted";
  }
}
