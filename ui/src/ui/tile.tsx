import type { ReactNode } from "react";

/** A few figures side by side; each child is a [`Tile`]. */
export function Tiles({ label, children }: { label: string; children: ReactNode }) {
  return (
    <dl aria-label={label} className="grid grid-cols-2 gap-2 sm:grid-cols-4">
      {children}
    </dl>
  );
}

interface TileProps {
  /** Text, or a link that then covers the whole tile. */
  title: ReactNode;
  /** `undefined` while it is not known. */
  value: ReactNode | undefined;
  suffix?: ReactNode;
}

/** One figure with its name. A link in the title takes presses anywhere on the tile. */
export function Tile({ title, value, suffix }: TileProps) {
  return (
    <div className="relative rounded-xl border border-line bg-panel px-4 py-2.5 has-[a:hover]:border-line-strong [&_a]:after:absolute [&_a]:after:inset-0 [&_a]:after:rounded-xl">
      <dt className="text-xs text-ink-faint">{title}</dt>
      <dd className="numeric text-xl font-semibold tracking-tight">
        {value ?? "–"}
        {suffix !== undefined && <span className="ml-1.5 text-xs font-normal text-ink-faint">{suffix}</span>}
      </dd>
    </div>
  );
}
