import clsx from "clsx";
import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

export type Tone = "good" | "bad" | "warn" | "run" | "later" | "plain";

const TONES: Record<Tone, string> = {
  good: "bg-good-soft text-good",
  bad: "bg-bad-soft text-bad",
  warn: "bg-warn-soft text-warn",
  run: "bg-run-soft text-run",
  later: "bg-later-soft text-later",
  plain: "bg-hover text-ink-soft",
};

/** A state in a word. Its color only repeats what the word says. */
export function Pill({ tone, icon: Icon, children }: { tone: Tone; icon?: LucideIcon; children: ReactNode }) {
  return (
    <span
      className={clsx(
        "inline-flex items-center gap-1.5 rounded-full px-2.5 py-0.5 text-xs font-medium whitespace-nowrap",
        TONES[tone],
      )}
    >
      {Icon !== undefined && <Icon aria-hidden className="size-3" />}
      {children}
    </span>
  );
}
