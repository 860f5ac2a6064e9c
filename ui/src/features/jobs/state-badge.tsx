import clsx from "clsx";
import { Ban, Check, CircleDashed, Clock, LoaderCircle, type LucideIcon, TimerOff, X } from "lucide-react";

import type { JobState } from "~/api/types";

interface Look {
  title: string;
  className: string;
  Icon: LucideIcon;
  spins?: boolean;
}

/** How each state is said and shown. Color never says it alone. */
export function stateLook(state: JobState, cancelRequested = false): Look {
  switch (state) {
    case "scheduled":
      return { title: "Scheduled", className: "bg-later-soft text-later", Icon: Clock };
    case "queued":
      return { title: "Queued", className: "bg-hover text-ink-soft", Icon: CircleDashed };
    case "leased":
      return {
        title: cancelRequested ? "Cancelling" : "Running",
        className: "bg-run-soft text-run",
        Icon: LoaderCircle,
        spins: true,
      };
    case "completed":
      return { title: "Completed", className: "bg-good-soft text-good", Icon: Check };
    case "failed":
      return { title: "Failed", className: "bg-bad-soft text-bad", Icon: X };
    case "cancelled":
      return { title: "Cancelled", className: "bg-hover text-ink-faint", Icon: Ban };
    case "expired":
      return { title: "Expired", className: "bg-warn-soft text-warn", Icon: TimerOff };
  }
}

export function StateBadge({ state, cancelRequested = false }: { state: JobState; cancelRequested?: boolean }) {
  const { title, className, Icon, spins = false } = stateLook(state, cancelRequested);
  return (
    <span className={clsx("inline-flex items-center gap-1.5 rounded-full py-0.5 pr-2.5 pl-2 text-xs font-medium", className)}>
      <Icon aria-hidden className={clsx("size-3", spins && "animate-spin [animation-duration:2s]")} />
      {title}
    </span>
  );
}
