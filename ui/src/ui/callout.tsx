import clsx from "clsx";
import { CircleAlert, Info, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

import { useNow } from "./clock";
import { TickedText } from "./ticked-text";

/** An error as a person reads it. */
export interface Complaint {
  title: string;
  hint: string | undefined;
  /** What to quote when asking somebody. */
  reference: string | undefined;
  /** When the node takes the request again, where it said so. */
  retryAtMs?: number | undefined;
}

type Tone = "bad" | "warn" | "note";

const LOOKS = {
  bad: { className: "border-bad/40 bg-bad-soft", icon: "text-bad", Icon: CircleAlert },
  warn: { className: "border-warn/40 bg-warn-soft", icon: "text-warn", Icon: TriangleAlert },
  note: { className: "border-line bg-sunken", icon: "text-ink-faint", Icon: Info },
} as const;

interface CalloutProps {
  tone: Tone;
  title: ReactNode;
  children?: ReactNode;
  /** Read out when it appears. For what the person has to know now. */
  announce?: boolean;
  className?: string;
}

/** Something to know, with its weight shown by more than its color. */
export function Callout({ tone, title, children, announce = false, className }: CalloutProps) {
  const { className: look, icon, Icon } = LOOKS[tone];
  return (
    <div role={announce ? "alert" : undefined} className={clsx("flex gap-3 rounded-xl border px-4 py-3", look, className)}>
      <Icon aria-hidden className={clsx("mt-0.5 size-4 shrink-0", icon)} />
      <div className="min-w-0 flex-1 space-y-1 [overflow-wrap:anywhere]">
        <p className="font-medium first-letter:uppercase">{title}</p>
        {children !== undefined && <div className="space-y-2 text-ink-soft">{children}</div>}
      </div>
    </div>
  );
}

/** What to do next, as the node says it. */
export function Hint({ children }: { children: string }) {
  return (
    <p className="first-letter:uppercase">
      <TickedText>{children}</TickedText>
    </p>
  );
}

/** How long until something may be tried again. Each second of it is for the eye only. */
export function Countdown({ untilMs }: { untilMs: number }) {
  const seconds = Math.max(0, Math.ceil((untilMs - useNow()) / 1_000));
  return (
    <p aria-live="off" className="numeric">
      {seconds === 0 ? "You can try again now." : `You can try again in ${seconds} s.`}
    </p>
  );
}

/** An error: what happened, what to do next, and what to quote when asking somebody. */
export function ErrorCallout({ problem, children }: { problem: Complaint; children?: ReactNode }) {
  return (
    <Callout tone="bad" announce title={problem.title}>
      {problem.hint !== undefined && <Hint>{problem.hint}</Hint>}
      {problem.retryAtMs !== undefined && <Countdown untilMs={problem.retryAtMs} />}
      {children}
      {problem.reference !== undefined && (
        <p className="text-xs text-ink-faint">
          Request <code className="font-mono">{problem.reference}</code>
        </p>
      )}
    </Callout>
  );
}
