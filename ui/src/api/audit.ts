import { createParser } from "eventsource-parser";

import { isList, isRecord, number, parseJson } from "~/json";
import { platform } from "~/platform";

import { fetchAsUser } from "./client";
import { ApiError } from "./error";
import type { AuditReport } from "./types";

/** How far the check of the audit log is. */
export interface AuditProgress {
  checked: number;
  total: number;
}

const PATH = "/v1/audit/verify";

/** Has the node check its whole audit log. `onProgress` hears how far it is; aborting ends the check. */
export async function verifyAudit(onProgress: (progress: AuditProgress) => void, signal: AbortSignal): Promise<AuditReport> {
  const headers = new Headers({ accept: "text/event-stream" });
  const response = await fetchAsUser(new Request(platform.nodeUrl() + PATH, { headers, signal, cache: "no-store" }));
  if (!response.ok || response.body === null) throw await ApiError.from(response);
  let report: AuditReport | undefined;
  let failure: unknown;
  const parser = createParser({
    onEvent({ event: name, data }) {
      const json = parseJson(data);
      const value = json.ok ? json.value : undefined;
      if (name === "progress" && isRecord(value)) {
        onProgress({ checked: number(value["checked"]) ?? 0, total: number(value["total"]) ?? 0 });
      } else if (name === "report" && isReport(value)) {
        report = value;
      } else if (name === "failed") {
        failure = value;
      }
    },
  });
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parser.feed(decoder.decode(value, { stream: true }));
  }
  if (report !== undefined) return report;
  if (failure !== undefined) throw new ApiError(500, failure, response.headers);
  throw new Error("The check was cut off before its end. Start it again.");
}

function isReport(value: unknown): value is AuditReport {
  return isRecord(value) && typeof value["ok"] === "boolean" && typeof value["entries"] === "number" && isList(value["problems"]);
}
