import { CopyButton } from "./copy-button";

/** A secret that is shown this once: whole, to be read and copied. */
export function SecretField({ value, label }: { value: string; label: string }) {
  return (
    <div className="flex items-start justify-between gap-2 rounded-lg border border-line bg-sunken py-2 pr-1 pl-3">
      <output aria-label={label} className="min-w-0 font-mono text-[13px] [overflow-wrap:anywhere]">
        {value}
      </output>
      <CopyButton value={value} what={label.toLowerCase()} />
    </div>
  );
}
