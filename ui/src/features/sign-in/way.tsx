import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";

interface WayProps {
  title: string;
  icon: LucideIcon;
  children: ReactNode;
}

/** One way to get in; its title is its accessible name. */
export function Way({ title, icon: Icon, children }: WayProps) {
  return (
    <section aria-label={title} className="flex gap-4 rounded-xl border border-line bg-panel p-4">
      <Icon aria-hidden className="mt-0.5 size-5 shrink-0 text-accent" />
      <div className="min-w-0 flex-1 space-y-3">
        <h2 className="font-medium">{title}</h2>
        <div className="space-y-3 text-[13px] text-ink-soft">{children}</div>
      </div>
    </section>
  );
}
