import { getRouteApi } from "@tanstack/react-router";

import { ApiError } from "~/api/error";
import { Loaded } from "~/features/app/loaded";
import { useMay } from "~/features/app/rights";
import { paths } from "~/paths";
import type { SyncState } from "~/sync/state";
import { Page, Section } from "~/ui/page";

import { Announcement } from "../announcement";
import { BigClock } from "../big-clock";
import { useFollowed } from "../followed";
import { LinkState } from "../link-state";
import { titleOf } from "../names";
import { StatusPill } from "../status-pill";
import { MODES } from "../words";
import { Controls } from "./controls";
import { Details } from "./details";
import { History } from "./history";
import { Participants } from "./participants";
import { Deleted, Removed, Unknown } from "./past";
import { Share } from "./share";

const route = getRouteApi(paths.syncSession);

/** The session that the address names. */
export function SyncSessionRoutePage() {
  const { sessionId } = route.useParams();
  return <SyncSessionPage key={sessionId} id={sessionId} />;
}

/** One session: its clock, who takes part, and what can be done with it. */
export function SyncSessionPage({ id }: { id: string }) {
  const { state, link, query, retryNow } = useFollowed(id);
  if (link.name === "ended" && link.ending.name === "deleted") return <Deleted id={id} state={state} />;
  // What this window still knows of it from before is no session any more.
  if (query.error instanceof ApiError && query.error.status === 404) return <Removed id={id} state={state} />;
  if (state === undefined) {
    if (query.error instanceof ApiError && query.error.status === 400) return <Unknown />;
    return (
      <Page title="Live session">
        <Loaded query={query} what="the session">
          {() => null}
        </Loaded>
      </Page>
    );
  }
  return (
    <Page
      title={titleOf(state)}
      detail={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <StatusPill status={state.status} />
          <span>{MODES[state.sync_mode].title}</span>
          <LinkState link={link} onRetry={retryNow} />
        </span>
      }
    >
      <Shown state={state} isLive={link.name === "live"} />
    </Page>
  );
}

function Shown({ state, isLive }: { state: SyncState; isLive: boolean }) {
  const mayChange = useMay("sessions_write");
  return (
    <div className="space-y-4">
      <section aria-label="Clock" className="space-y-5 rounded-xl border border-line bg-panel px-4 py-6 sm:py-10">
        <BigClock state={state} className="text-[clamp(3.25rem,15vw,8rem)]" />
        {mayChange && <Controls state={state} />}
        {!mayChange && <p className="text-center text-[13px] text-ink-faint">You may look on, and not change anything.</p>}
      </section>
      <Announcement state={state} />
      <Participants state={state} mayChange={mayChange} />
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-2 lg:items-start">
        <Share state={state} />
        <Section title="Details">
          <Details state={state} />
        </Section>
      </div>
      <History id={state.session_id} state={state} isLive={isLive} />
    </div>
  );
}
