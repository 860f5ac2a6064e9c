/** Why a session is not followed any more. */
export type Ending = { name: "deleted" } | { name: "refused"; reason: string };

const POLICY = 1008;

/** Reasons of a close with 1008 that a new ticket, or a machine that woke up, may be rid of. */
const PASSING = ["token_expired", "access_changed", "no answer to pings"];

const WORDS: Partial<Record<string, string>> = {
  signed_out: "The sign-in that it was opened with has ended.",
  "there is no such session": "There is no such session, or it is not yours to see.",
  "sessionId must be the UUID of a session": "This is not the address of a session.",
  "too many messages": "This page asked the node too much.",
};

/** Whether a close is the end, and why; `undefined` where coming back may help. */
export function endingOf(code: number, reason: string, wasDeleted: boolean): Ending | undefined {
  if (wasDeleted) return { name: "deleted" };
  if (code !== POLICY || PASSING.includes(reason)) return undefined;
  return { name: "refused", reason: WORDS[reason] ?? reason };
}
