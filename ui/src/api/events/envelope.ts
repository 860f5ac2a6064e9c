import { isList, isRecord, text } from "~/json";
import { isJobState, type JobState, type LogLine, type Progress } from "../types";

/** What changed on the node. */
export type NodeEvent =
  | { type: "job.changed"; job_id: string; kind: string; queue: string; state: JobState; attempt: number }
  | { type: "job.progress"; job_id: string; progress: Progress }
  | { type: "job.log"; job_id: string; lines: LogLine[] }
  | { type: "batch.finished" }
  | { type: "kinds.changed" }
  | { type: "engines.changed" }
  | { type: "queues.changed" }
  | { type: "notices.changed" }
  | { type: "schedules.changed" }
  | { type: "sessions.changed" }
  | { type: "autoscaled" }
  | { type: "resync" };

/**
 * Reads the data of one server-sent event. `undefined` is a type this GUI does not know, from a newer node, or one
 * that lacks what its type promises.
 */
export function readEvent(value: unknown): NodeEvent | undefined {
  if (!isRecord(value)) return undefined;
  switch (value["type"]) {
    case "job.changed": {
      const { job_id, kind, queue, state, attempt } = value;
      if (typeof job_id !== "string" || typeof kind !== "string" || typeof queue !== "string") return undefined;
      if (!isJobState(state) || typeof attempt !== "number") return undefined;
      return { type: "job.changed", job_id, kind, queue, state, attempt };
    }
    case "job.progress": {
      const { job_id, progress } = value;
      if (typeof job_id !== "string" || !isRecord(progress)) return undefined;
      return { type: "job.progress", job_id, progress: readProgress(progress) };
    }
    case "job.log": {
      const { job_id, lines } = value;
      if (typeof job_id !== "string" || !isList(lines)) return undefined;
      return { type: "job.log", job_id, lines: lines.filter(isLogLine) };
    }
    case "batch.finished":
      return { type: "batch.finished" };
    case "kinds.changed":
      return { type: "kinds.changed" };
    case "engines.changed":
      return { type: "engines.changed" };
    case "queues.changed":
      return { type: "queues.changed" };
    case "notices.changed":
      return { type: "notices.changed" };
    case "schedules.changed":
      return { type: "schedules.changed" };
    case "sessions.changed":
      return { type: "sessions.changed" };
    case "autoscaled":
      return { type: "autoscaled" };
    case "resync":
      return { type: "resync" };
    default:
      return undefined;
  }
}

/** Reads the data of the event `bye`, which is the last one of a connection. */
export function readBye(value: unknown): string {
  return (isRecord(value) ? text(value["reason"]) : text(value)) ?? "";
}

function readProgress(value: Record<string, unknown>): Progress {
  const fraction = value["fraction"];
  return {
    fraction: typeof fraction === "number" ? fraction : null,
    message: text(value["message"]) ?? null,
    output: text(value["output"]) ?? null,
  };
}

function isLogLine(value: unknown): value is LogLine {
  return isRecord(value) && typeof value["seq"] === "number" && typeof value["message"] === "string";
}
