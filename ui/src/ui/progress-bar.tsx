interface ProgressBarProps {
  label: string;
  /** From 0 to 1; `null` where the work does not know. */
  fraction: number | null;
  message?: string | null | undefined;
}

/** How far something is, as a bar and in words. */
export function ProgressBar({ label, fraction, message }: ProgressBarProps) {
  const percent = fraction === null ? undefined : Math.round(Math.min(1, Math.max(0, fraction)) * 100);
  const words = [percent === undefined ? undefined : `${percent} %`, message ?? undefined].filter(Boolean).join(" · ");
  return (
    <div className="space-y-1.5">
      <div
        role="progressbar"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={words || undefined}
        className="h-1.5 overflow-hidden rounded-full bg-hover"
      >
        {percent === undefined ? (
          <div className="h-full w-1/3 animate-slide rounded-full bg-run motion-reduce:w-full motion-reduce:opacity-40" />
        ) : (
          <div className="h-full rounded-full bg-run transition-[width] duration-300" style={{ width: `${percent}%` }} />
        )}
      </div>
      {words !== "" && <p className="numeric text-[13px] text-ink-soft [overflow-wrap:anywhere]">{words}</p>}
    </div>
  );
}
