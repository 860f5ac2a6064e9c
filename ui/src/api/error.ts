import { isList, isRecord, parseJson, text } from "~/json";
import type { FieldError } from "./types";

/** An answer of the node that is not a success. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly details: unknown;
  readonly requestId: string | undefined;
  readonly retryAfterS: number | undefined;
  /** When the node takes the request again, where it said so. */
  readonly retryAtMs: number | undefined;

  constructor(status: number, envelope: unknown, headers: Headers) {
    const error = isRecord(envelope) && isRecord(envelope["error"]) ? envelope["error"] : {};
    super(text(error["message"]) ?? `The node answered with status ${status}.`);
    this.name = "ApiError";
    this.status = status;
    this.code = text(error["code"]) ?? `HTTP_${status}`;
    this.hint = text(error["hint"]);
    this.details = error["details"];
    this.requestId = text(error["request_id"]) ?? headers.get("x-request-id") ?? undefined;
    const retryAfter = Number(headers.get("retry-after") ?? NaN);
    this.retryAfterS = headers.has("retry-after") && Number.isFinite(retryAfter) ? retryAfter : undefined;
    this.retryAtMs = this.retryAfterS === undefined ? undefined : Date.now() + this.retryAfterS * 1_000;
  }

  static async from(response: Response): Promise<ApiError> {
    const body = parseJson(await response.text().catch(() => ""));
    return new ApiError(response.status, body.ok ? body.value : undefined, response.headers);
  }

  /** The fields that a failed validation names, by JSON pointer into the body. */
  fieldErrors(): FieldError[] {
    const list = isRecord(this.details) ? this.details["errors"] ?? this.details["fields"] : this.details;
    if (!isList(list)) return [];
    return list.flatMap((item) => {
      const field = isRecord(item) ? text(item["field"]) : undefined;
      const message = isRecord(item) ? text(item["message"]) : undefined;
      return field === undefined || message === undefined ? [] : [{ field, message }];
    });
  }
}

/** The node gave no answer at all: it is stopped, restarting, or the way to it is cut. */
export class NodeUnreachable extends Error {
  constructor(cause: unknown) {
    super("The node does not answer.", { cause });
    this.name = "NodeUnreachable";
  }
}

/** There is no session, or it has ended. The page shows the way back in, so nothing else has to. */
export class SignedOut extends Error {
  constructor() {
    super("You are signed out.");
    this.name = "SignedOut";
  }
}
