import { Link } from "@tanstack/react-router";

import type { paths } from "~/paths";

/** Leads from a part of the overview to the page that has all of it. */
export function AllLink({ to, title }: { to: (typeof paths)["jobs" | "queues" | "engines"]; title: string }) {
  return (
    <Link to={to} className="text-xs text-ink-soft underline decoration-line-strong underline-offset-2 hover:text-accent">
      {title}
    </Link>
  );
}
