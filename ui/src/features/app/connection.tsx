import clsx from "clsx";

import type { StreamState } from "~/api/events/stream";
import { useStreamState } from "~/features/live/live";

import { useStream } from "./stream-context";

function words(state: StreamState): { text: string; dot: string } {
  switch (state.name) {
    case "live":
      return { text: "Live", dot: "bg-good" };
    case "connecting":
      return { text: "Connecting…", dot: "bg-warn animate-breathe" };
    case "waiting":
      return { text: "Reconnecting…", dot: "bg-bad animate-breathe" };
    case "idle":
      return { text: "Paused", dot: "bg-ink-faint" };
  }
}

/** Whether what is shown is what is. */
export function Connection() {
  const { text, dot } = words(useStreamState(useStream()));
  return (
    <div aria-live="polite" className="inline-flex items-center gap-2 text-xs text-ink-soft">
      <span aria-hidden className={clsx("size-2 rounded-full", dot)} />
      <span className="sr-only">Connection: </span>
      {text}
    </div>
  );
}
