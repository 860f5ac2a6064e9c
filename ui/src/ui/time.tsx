import { useNow } from "./clock";
import { formatDistance, formatDuration } from "./duration";

const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium", hour12: false });

/** A point in time as its distance from now; the exact time is its tooltip. */
export function Ago({ at }: { at: string }) {
  const now = useNow();
  const atMs = Date.parse(at);
  return (
    <time dateTime={at} title={EXACT.format(atMs)} className="numeric whitespace-nowrap">
      {formatDistance(atMs, now)}
    </time>
  );
}

/** A point in time, exactly. */
export function At({ at }: { at: string }) {
  return (
    <time dateTime={at} className="numeric">
      {EXACT.format(Date.parse(at))}
    </time>
  );
}

/** The time of day, for lines of a log. */
export function TimeOfDay({ at }: { at: string }) {
  return (
    <time dateTime={at} title={EXACT.format(Date.parse(at))} className="numeric">
      {CLOCK.format(Date.parse(at))}
    </time>
  );
}

/** How long something took, or has been taking while it has no end. */
export function Elapsed({ from, to }: { from: string; to: string | null | undefined }) {
  const running = to === null || to === undefined;
  const now = useNow(running);
  const endMs = running ? now : Date.parse(to);
  return <span className="numeric whitespace-nowrap">{formatDuration(endMs - Date.parse(from))}</span>;
}
