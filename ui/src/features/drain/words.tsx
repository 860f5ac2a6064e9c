import type { ReactNode } from "react";

import type { Drain } from "~/api/types";
import { Ago } from "~/ui/time";

/** How far a drain is. */
export function leftWords(running: number): string {
  switch (running) {
    case 0:
      return "All running jobs have finished.";
    case 1:
      return "1 job is left to finish.";
    default:
      return `${running.toLocaleString()} jobs are left to finish.`;
  }
}

/** Who began it, when and why, as far as that is known. */
export function DrainOrigin({ drain: { by, since, reason } }: { drain: Drain }): ReactNode {
  if (!by && !since && !reason) return null;
  return (
    <span>
      Begun{by ? ` by ${by}` : ""}
      {since ? (
        <>
          {" "}
          <Ago at={since} />
        </>
      ) : null}
      {reason ? `: ${reason}` : "."}
    </span>
  );
}
