import { Link } from "@tanstack/react-router";
import clsx from "clsx";
import {
  Activity,
  BookOpenText,
  Boxes,
  CalendarClock,
  Cpu,
  Gauge,
  KeyRound,
  Layers,
  LayoutDashboard,
  LogOut,
  MonitorSmartphone,
  Plus,
  Rows3,
  ScrollText,
  Settings,
  Ticket,
  Timer,
  Users,
} from "lucide-react";

import { session } from "~/api/client";
import type { Me } from "~/api/types";
import { paths } from "~/paths";
import { platform } from "~/platform";
import { buttonClass, IconButton } from "~/ui/button";
import { Logo } from "~/ui/logo";

import { Connection } from "./connection";
import { may } from "./rights";
import { ThemeMenu } from "./theme-menu";

/** Places, and what they ask of those who go there. What somebody may not see is not offered; its address explains why. */
const GROUPS = [
  {
    title: "Work",
    items: [
      { to: paths.overview, title: "Overview", Icon: LayoutDashboard, asks: "status" },
      { to: paths.jobs, title: "Jobs", Icon: Rows3, asks: "read" },
      { to: paths.queues, title: "Queues", Icon: Layers, asks: "read" },
      { to: paths.limits, title: "Limits", Icon: Gauge, asks: "read" },
      { to: paths.schedules, title: "Schedules", Icon: CalendarClock, asks: "read" },
      { to: paths.sync, title: "Live sessions", Icon: Timer, asks: "sessions_read" },
      { to: paths.engines, title: "Engines", Icon: Cpu, asks: "read" },
      { to: paths.kinds, title: "Kinds & modules", Icon: Boxes, asks: "read" },
    ],
  },
  {
    title: "Access",
    items: [
      { to: paths.members, title: "Members", Icon: Users, asks: "members_write" },
      { to: paths.devices, title: "Devices", Icon: MonitorSmartphone, asks: "signed_in" },
      { to: paths.keys, title: "Keys", Icon: KeyRound, asks: "keys_rotate" },
      { to: paths.adminTokens, title: "Admin tokens", Icon: Ticket, asks: "owner_only" },
      { to: paths.audit, title: "Audit", Icon: ScrollText, asks: "audit_read" },
    ],
  },
  {
    title: "Node",
    items: [
      { to: paths.status, title: "Status", Icon: Activity, asks: "status" },
      { to: paths.apiDocs, title: "API reference", Icon: BookOpenText, asks: "signed_in" },
    ],
  },
] as const;

export function Brand() {
  return (
    <Link to={paths.overview} className="flex items-center gap-2.5 rounded-lg px-1 text-[15px] font-semibold tracking-tight">
      <Logo className="size-6 text-accent" />
      Flowork
    </Link>
  );
}

/** Nothing, for those who may not enqueue. */
export function NewJobLink({ me, className }: { me: Me; className?: string }) {
  if (!may(me, "jobs_write")) return null;
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
      <nav aria-label="Main" className="scroll-thin -mx-1 min-h-0 space-y-3 overflow-y-auto px-1 py-0.5">
        {GROUPS.map((group) => {
          const items = group.items.filter(({ to, asks }) => may(me, asks) && (to !== paths.devices || Boolean(me.session_id)));
          return (
            <div key={group.title} role="group" aria-label={group.title} className="flex flex-col gap-0.5">
              {items.map(({ to, title, Icon }) => (
                <Link
                  key={to}
                  to={to}
                  // Every address begins as that of the overview does.
                  activeOptions={{ exact: to === paths.overview }}
                  onClick={onLeave}
                  className={clsx(
                    "flex min-h-8 items-center gap-3 rounded-lg px-2.5 text-[13px] text-ink-soft transition-colors pointer-coarse:min-h-11",
                    "hover:bg-hover hover:text-ink aria-[current=page]:bg-hover aria-[current=page]:font-medium aria-[current=page]:text-ink",
                  )}
                >
                  <Icon aria-hidden className="size-4 text-ink-faint" />
                  {title}
                </Link>
              ))}
            </div>
          );
        })}
      </nav>
      <div className="mt-auto space-y-2 border-t border-line pt-3">
        <div className="px-2.5">
          <Connection />
        </div>
        <div className="flex items-center gap-1">
          <p className="min-w-0 flex-1 px-2.5 text-xs leading-tight">
            <span className="block truncate font-medium" title={me.subject}>
              {me.role === "guest" ? "Guest" : me.subject}
            </span>
            {me.role !== me.subject && me.role !== "guest" && <span className="text-ink-faint">{me.role}</span>}
          </p>
          <ThemeMenu />
          {platform.desktop !== undefined && (
            <IconButton label="App settings" onClick={platform.desktop.openSettings}>
              <Settings aria-hidden className="size-4" />
            </IconButton>
          )}
          <IconButton label="Sign out" onClick={() => void session.signOut()}>
            <LogOut aria-hidden className="size-4" />
          </IconButton>
        </div>
      </div>
    </div>
  );
}
