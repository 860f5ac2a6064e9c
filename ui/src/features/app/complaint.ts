import { ApiError, NodeUnreachable } from "~/api/error";
import type { Complaint } from "~/ui/callout";

const MAY_NOT = "Ask the owner of this node for a role that may do it.";
const SIGN_IN_AGAIN = "Sign in again; what you were doing can be done then.";
const SLOW_DOWN = "The node holds back whoever asks too much at once, so that everybody gets their turn.";

/** Puts an error in words for a person. */
export function complaint(error: unknown): Complaint {
  if (error instanceof ApiError) {
    return {
      title: error.message,
      hint: error.hint ?? adviceFor(error.status),
      reference: error.requestId,
      retryAtMs: error.retryAtMs,
    };
  }
  if (error instanceof NodeUnreachable) {
    return {
      title: error.message,
      hint: "Check that Flowork is running on the machine. Nothing you typed is lost; try again once it is back.",
      reference: undefined,
    };
  }
  const title = error instanceof Error ? error.message : "Something unexpected happened.";
  return { title, hint: undefined, reference: undefined };
}

/** What to do about an answer that does not say it itself. */
function adviceFor(status: number): string | undefined {
  switch (status) {
    case 401:
      return SIGN_IN_AGAIN;
    case 403:
      return MAY_NOT;
    case 429:
      return SLOW_DOWN;
    default:
      return undefined;
  }
}
