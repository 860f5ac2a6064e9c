import clsx from "clsx";

import type { Link } from "~/sync/connection";
import { Button } from "~/ui/button";

interface LinkStateProps {
  link: Link;
  onRetry: () => void;
}

/** Whether what is shown is what is. Said aloud only when it changes to or from that. */
export function LinkState({ link, onRetry }: LinkStateProps) {
  const { text, dot } = words(link);
  return (
    <span className="inline-flex items-center gap-2 text-xs text-ink-soft">
      <span role="status" aria-label="Connection of this session" className="inline-flex items-center gap-2">
        <span aria-hidden className={clsx("size-2 rounded-full", dot)} />
        {text}
      </span>
      {link.name === "waiting" && (
        <Button tone="quiet" className="min-h-7 px-2" onClick={onRetry}>
          Try now
        </Button>
      )}
    </span>
  );
}

function words(link: Link): { text: string; dot: string } {
  switch (link.name) {
    case "live":
      return { text: "In sync", dot: "bg-good" };
    case "idle":
    case "connecting":
      return { text: "Connecting…", dot: "bg-warn animate-breathe" };
    case "waiting":
      return { text: "Reconnecting… The clock goes on as it was last known.", dot: "bg-bad animate-breathe" };
    case "ended":
      return { text: link.ending.name === "deleted" ? "Deleted" : `Not followed: ${link.ending.reason}`, dot: "bg-ink-faint" };
  }
}
