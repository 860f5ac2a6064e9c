import { useQuery } from "@tanstack/react-query";
import { MonitorSmartphone } from "lucide-react";
import { useId, useState } from "react";

import type { SignInSession } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Loaded } from "~/features/app/loaded";
import { may, useMay } from "~/features/app/rights";
import { useSession } from "~/features/app/session";
import { memberQueries } from "~/features/members/queries";
import { PlainHttpNote } from "~/features/sign-in/plain-http";
import { Address } from "~/ui/address";
import { Button } from "~/ui/button";
import { Confirm } from "~/ui/dialog";
import { EmptyState } from "~/ui/empty-state";
import { Page, Section } from "~/ui/page";
import { Pill } from "~/ui/pill";
import { Ago } from "~/ui/time";

import { useEndSession, useSignOutEverywhere } from "./actions";
import { deviceQueries } from "./queries";

/** Where somebody is signed in, and the way to end it. */
export function DevicesPage() {
  const session = useSession();
  const me = session.name === "signed_in" ? session.me : undefined;
  const [leaving, setLeaving] = useState(false);
  return (
    <Page
      title="Devices"
      detail="Each browser that is signed in is a session. It lasts for as long as it is used at least once a month."
      actions={
        <Button tone="danger" onClick={() => setLeaving(true)}>
          Sign out everywhere
        </Button>
      }
    >
      <div className="space-y-4">
        <PlainHttpNote />
        <OwnSessions />
        {me !== undefined && may(me, "members_write") && <OthersSessions subject={me.subject} />}
      </div>
      <AskEverywhere open={leaving} onClose={() => setLeaving(false)} />
    </Page>
  );
}

function OwnSessions() {
  const query = useQuery(deviceQueries.list(false));
  return (
    <Section title="Your sessions" flush>
      <Loaded query={query} what="sessions">
        {({ items }) => <Sessions sessions={items} />}
      </Loaded>
    </Section>
  );
}

function OthersSessions({ subject }: { subject: string }) {
  const query = useQuery(deviceQueries.list(true));
  const members = useQuery(memberQueries.list);
  const nameOf = (who: string) => members.data?.items.find((member) => member.subject === who)?.name ?? who;
  return (
    <Section title="Sessions of other members" flush>
      <Loaded query={query} what="sessions">
        {({ items }) => <Sessions sessions={items.filter((item) => item.subject !== subject)} nameOf={nameOf} />}
      </Loaded>
    </Section>
  );
}

interface SessionsProps {
  sessions: readonly SignInSession[];
  /** Shown where they are of several people. */
  nameOf?: (subject: string) => string;
}

function Sessions({ sessions, nameOf }: SessionsProps) {
  const [ending, setEnding] = useState<SignInSession>();
  if (sessions.length === 0) {
    return (
      <EmptyState icon={MonitorSmartphone} title="No sessions">
        Nobody is signed in here at present.
      </EmptyState>
    );
  }
  return (
    <>
      <ul>
        {sessions.map((session) => (
          <li
            key={session.session_id}
            aria-label={deviceOf(session)}
            className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2 border-b border-line px-4 py-3 last:border-0"
          >
            <div className="min-w-0 flex-1 basis-64 space-y-0.5">
              <h3 className="flex flex-wrap items-center gap-2 text-[13px] font-medium [overflow-wrap:anywhere]">
                {deviceOf(session)}
                {session.current && <Pill tone="good">This one</Pill>}
              </h3>
              <p className="numeric text-xs text-ink-faint">
                {nameOf !== undefined && `${nameOf(session.subject)} · `}last used <Ago at={session.last_used_at} /> · began{" "}
                <Ago at={session.created_at} />
                {session.address && (
                  <>
                    {" · "}with key <Address address={session.address} />
                  </>
                )}
              </p>
            </div>
            <Button tone="danger" aria-label={`End the session of ${deviceOf(session)}`} onClick={() => setEnding(session)}>
              End
            </Button>
          </li>
        ))}
      </ul>
      {ending !== undefined && <AskEnd session={ending} onClose={() => setEnding(undefined)} />}
    </>
  );
}

function deviceOf({ device_name: name }: SignInSession): string {
  return name ?? "A device without a name";
}

function AskEnd({ session, onClose }: { session: SignInSession; onClose: () => void }) {
  const id = useId();
  const end = useEndSession();
  const mayRemove = useMay("members_write") && Boolean(session.address);
  const [remove, setRemove] = useState(false);
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title="End this session?"
      detail={`${deviceOf(session)} is signed out at once.${session.address ? " It keeps its key, and can sign in again with it." : ""}`}
      confirm={remove ? "End session and remove key" : "End session"}
      tone="danger"
      busy={end.isPending}
      problem={end.isError ? complaint(end.error) : undefined}
      onConfirm={() => end.mutate({ session, removeKey: remove }, { onSuccess: onClose })}
    >
      {mayRemove && session.address && (
        <div className="flex items-start gap-2.5 text-[13px]">
          <input
            type="checkbox"
            id={id}
            checked={remove}
            onChange={(event) => setRemove(event.target.checked)}
            className="mt-0.5 size-4 shrink-0 accent-accent pointer-coarse:size-5"
          />
          <label htmlFor={id}>
            Remove its key <Address address={session.address} /> too. For a device that was lost or stolen.
          </label>
        </div>
      )}
    </Confirm>
  );
}

function AskEverywhere({ open, onClose }: { open: boolean; onClose: () => void }) {
  const leave = useSignOutEverywhere();
  return (
    <Confirm
      open={open}
      onOpenChange={onClose}
      title="Sign out everywhere?"
      detail="All your sessions end at once, this one too. Browsers keep their keys and can sign in again with them. If a device was lost or stolen, have the owner end its session with its key."
      confirm="Sign out everywhere"
      tone="danger"
      busy={leave.isPending}
      problem={leave.isError ? complaint(leave.error) : undefined}
      onConfirm={() => leave.mutate(undefined, { onSuccess: onClose })}
    />
  );
}
