import { Link } from "@tanstack/react-router";
import clsx from "clsx";
import {
  Activity,
  BookOpenText,
  Boxes,
  CalendarClock,
  Cpu,
  Gauge,
  Layers,
  LayoutDashboard,
  LogOut,
  Plus,
  Rows3,
} from "lucide-react";

import { session } from "~/api/client";
import type { Me } from "~/api/types";
import { paths } from "~/paths";
import { buttonClass, IconButton } from "~/ui/button";
import { Logo } from "~/ui/logo";

import { Connection } from "./connection";
import { ThemeMenu } from "./theme-menu";

const ITEMS = [
  { to: paths.overview, title: "Overview", Icon: LayoutDashboard },
  { to: paths.jobs, title: "Jobs", Icon: Rows3 },
  { to: paths.queues, title: "Queues", Icon: Layers },
  { to: paths.limits, title: "Limits", Icon: Gauge },
  { to: paths.schedules, title: "Schedules", Icon: CalendarClock },
  { to: paths.engines, title: "Engines", Icon: Cpu },
  { to: paths.kinds, title: "Kinds & modules", Icon: Boxes },
  { to: paths.status, title: "Status", Icon: Activity },
  { to: paths.apiDocs, title: "API reference", Icon: BookOpenText },
] as const;

export function Brand() {
  return (
    <Link to={paths.overview} className="flex items-center gap-2.5 rounded-lg px-1 text-[15px] font-semibold tracking-tight">
      <Logo className="size-6 text-accent" />
      Flowork
    </Link>
  );
}

export function NewJobLink({ className }: { className?: string }) {
  return (
    <Link to={paths.newJob} className={buttonClass("primary", className)}>
      <Plus aria-hidden className="size-4" />
      New job
    </Link>
  );
}

/** The places of the app, and below them who is here and how the way to the node is. */
export function Navigation({ me, onLeave }: { me: Me; onLeave?: () => void }) {
  return (
    <div className="flex h-full flex-col gap-1">
      <nav aria-label="Main" className="flex flex-col gap-0.5">
        {ITEMS.map(({ to, title, Icon }) => (
          <Link
            key={to}
            to={to}
            // Every address begins as that of the overview does.
            activeOptions={{ exact: to === paths.overview }}
            onClick={onLeave}
            className={clsx(
              "flex min-h-9 items-center gap-3 rounded-lg px-2.5 text-[13px] text-ink-soft transition-colors pointer-coarse:min-h-11",
              "hover:bg-hover hover:text-ink aria-[current=page]:bg-hover aria-[current=page]:font-medium aria-[current=page]:text-ink",
            )}
          >
            <Icon aria-hidden className="size-4 text-ink-faint" />
            {title}
          </Link>
        ))}
      </nav>
      <div className="mt-auto space-y-2 border-t border-line pt-3">
        <div className="px-2.5">
          <Connection />
        </div>
        <div className="flex items-center gap-1">
          <p className="min-w-0 flex-1 px-2.5 text-xs leading-tight">
            <span className="block truncate font-medium" title={me.subject}>
              {me.subject}
            </span>
            {me.role !== me.subject && <span className="text-ink-faint">{me.role}</span>}
          </p>
          <ThemeMenu />
          <IconButton label="Sign out" onClick={() => void session.signOut()}>
            <LogOut aria-hidden className="size-4" />
          </IconButton>
        </div>
      </div>
    </div>
  );
}
