import type { LogLine } from "~/api/types";

/** Lines a page holds; of a longer log the last ones. */
export const LINES_KEPT = 2_000;

/** The log of a job as far as this page has it. */
export interface JobLog {
  lines: LogLine[];
  /** The `seq` of the last line, whether it is kept or not. */
  last: number;
  /** Lines before the first of `lines` that were dropped. */
  dropped: number;
}

export const EMPTY_LOG: JobLog = { lines: [], last: 0, dropped: 0 };

/** Adds what is new of `lines`, which may overlap with what is there. */
export function appendLines(log: JobLog, lines: readonly LogLine[]): JobLog {
  const fresh = lines.filter((line) => line.seq > log.last);
  const last = fresh.at(-1)?.seq;
  if (last === undefined) return log;
  const all = [...log.lines, ...fresh];
  const excess = Math.max(0, all.length - LINES_KEPT);
  return { lines: all.slice(excess), last, dropped: log.dropped + excess };
}
