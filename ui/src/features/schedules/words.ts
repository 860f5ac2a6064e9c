import type { MissedRuns, Overlap, Schedule, SkippedRuns } from "~/api/types";
import { spanWords } from "~/ui/span";

/** When a schedule runs, for a person: its cron expression and zone, or its interval. */
export function timesWords({ cron, time_zone: zone, interval_ms: interval }: Schedule): string {
  if (cron) return `${cron} (${zone ?? "UTC"})`;
  return typeof interval === "number" ? `every ${spanWords(interval)}`.replace(/^every 1 /, "every ") : "";
}

export const MISSED: readonly { value: MissedRuns; title: string; detail: string }[] = [
  {
    value: "once",
    title: "Make up for them with one run",
    detail: "As soon as the node is back, one run stands for all that were missed. Right for reports and syncs.",
  },
  {
    value: "skip",
    title: "Leave them out",
    detail: "What was missed stays missed; the next run is at its own time. Right for reminders.",
  },
  {
    value: "all",
    title: "Make up for each of them",
    detail: "Every missed run happens, the last 100 at the most. Right where each run has work of its own.",
  },
];

export const OVERLAP: readonly { value: Overlap; title: string; detail: string }[] = [
  {
    value: "allow",
    title: "Enqueue it all the same",
    detail: "Both may run at once, if workers are free.",
  },
  {
    value: "skip",
    title: "Leave that run out",
    detail: "There is never more than one job of this schedule that has not ended.",
  },
];

/** Why runs did not happen, for a person. */
export function skippedWords({ reason, count, uncounted }: SkippedRuns): string {
  const runs = count === 1 && !uncounted ? "1 run" : `${count.toLocaleString()}${uncounted ? " and more" : ""} runs`;
  switch (reason) {
    case "missed":
      return `${runs} missed while the node was down, asleep or drained`;
    case "too_many":
      return `${runs} missed and left out, being too many to make up for`;
    case "overlap":
      return `${runs} left out, because the job before had not ended`;
    case "refused":
      return `${runs} refused`;
  }
}
