import clsx from "clsx";
import type { ReactNode } from "react";

interface PageProps {
  title: ReactNode;
  /** What the browser tab says; the title itself where that is text. */
  tabTitle?: string;
  /** Beside or below the title. */
  detail?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page of the app: one heading, its actions, its content. */
export function Page({ title, tabTitle, detail, actions, children }: PageProps) {
  const tab = tabTitle ?? (typeof title === "string" ? title : undefined);
  return (
    <div className="mx-auto w-full max-w-6xl px-4 pt-5 pb-16 sm:px-6 lg:px-8 lg:pt-8">
      {tab !== undefined && <title>{`${tab} · Flowork`}</title>}
      <div className="mb-5 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
        <div className="min-w-0 space-y-1">
          <h1 className="text-xl font-semibold [overflow-wrap:anywhere]">{title}</h1>
          {detail !== undefined && <div className="max-w-2xl text-ink-soft">{detail}</div>}
        </div>
        {actions !== undefined && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
      {children}
    </div>
  );
}

interface SectionProps {
  title: string;
  /** At the right end of the title's line. */
  aside?: ReactNode;
  children: ReactNode;
  className?: string;
  /** The content reaches the panel's edges, as tables do. */
  flush?: boolean;
}

/** A titled panel; its title is its accessible name. */
export function Section({ title, aside, children, className, flush = false }: SectionProps) {
  return (
    <section aria-label={title} className={clsx("overflow-hidden rounded-xl border border-line bg-panel", className)}>
      <header className="flex min-h-11 flex-wrap items-center justify-between gap-x-3 gap-y-1 border-b border-line px-4 py-1.5">
        <h2 className="text-[13px] font-semibold">{title}</h2>
        {aside}
      </header>
      <div className={flush ? undefined : "p-4"}>{children}</div>
    </section>
  );
}
