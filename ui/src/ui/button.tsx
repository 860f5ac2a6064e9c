import clsx from "clsx";
import type { ComponentProps } from "react";

export type ButtonTone = "primary" | "plain" | "quiet" | "danger";

const TONES: Record<ButtonTone, string> = {
  primary: "bg-accent text-accent-ink hover:bg-accent-hover font-medium",
  plain: "bg-panel text-ink border border-line-strong hover:bg-hover",
  quiet: "text-ink-soft hover:bg-hover hover:text-ink",
  danger: "bg-panel text-bad border border-line-strong hover:bg-bad-soft hover:border-bad",
};

/** Gives the look of a button to what is not one, such as a link that leads to an action. */
export function buttonClass(tone: ButtonTone = "plain", className?: string): string {
  return clsx(
    "inline-flex min-h-9 items-center justify-center gap-2 rounded-lg px-3 text-[13px] leading-none whitespace-nowrap",
    "transition-colors disabled:cursor-not-allowed disabled:opacity-55 pointer-coarse:min-h-11",
    TONES[tone],
    className,
  );
}

interface ButtonProps extends ComponentProps<"button"> {
  tone?: ButtonTone;
  /** The action is on its way: the button stays in place and takes no second press. */
  busy?: boolean;
}

export function Button({ tone = "plain", busy = false, className, type = "button", disabled, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      disabled={disabled === true || busy}
      aria-busy={busy || undefined}
      className={buttonClass(tone, className)}
    />
  );
}

/** A square button that shows only an icon; `label` is its accessible name and its tooltip. */
export function IconButton({ label, className, type = "button", ...rest }: ComponentProps<"button"> & { label: string }) {
  return (
    <button
      {...rest}
      type={type}
      aria-label={label}
      title={label}
      className={clsx(
        "inline-flex size-9 shrink-0 items-center justify-center rounded-lg text-ink-soft transition-colors",
        "hover:bg-hover hover:text-ink disabled:opacity-50 pointer-coarse:size-11",
        className,
      )}
    />
  );
}
