import { ApiError, NodeUnreachable } from "~/api/error";
import type { Complaint } from "~/ui/callout";

/** Puts an error in words for a person. */
export function complaint(error: unknown): Complaint {
  if (error instanceof ApiError) {
    return { title: error.message, hint: error.hint, reference: error.requestId };
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
