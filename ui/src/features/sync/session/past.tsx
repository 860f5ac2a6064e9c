import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import { ApiError } from "~/api/error";
import { paths } from "~/paths";
import type { SyncState } from "~/sync/state";
import { buttonClass } from "~/ui/button";
import { Callout } from "~/ui/callout";
import { Page } from "~/ui/page";

import { titleOf } from "../names";
import { syncQueries } from "../queries";
import { History } from "./history";

/** A session that was deleted while somebody looked. */
export function Deleted({ id, state }: { id: string; state: SyncState | undefined }) {
  return (
    <Gone title="This session was deleted" about={titleOf(state ?? { metadata: null, session_id: id })} detail="What happened in it is kept for 90 days.">
      <History id={id} state={state} isLive={false} />
    </Gone>
  );
}

/** A session that the node does not have any more, or never had. */
export function Removed({ id, state }: { id: string; state: SyncState | undefined }) {
  const { data, error } = useInfiniteQuery(syncQueries.events(id));
  if (data === undefined && error instanceof ApiError && error.status === 404) return <Unknown />;
  return (
    <Gone
      title="This session is over"
      about={titleOf(state ?? { metadata: null, session_id: id })}
      detail="It ended, or was deleted, and was removed. What happened in it is kept for 90 days; the names of those who took part are not."
    >
      <History id={id} state={state} isLive={false} />
    </Gone>
  );
}

/** An id that says nothing to the node. */
export function Unknown() {
  return (
    <Gone
      title="There is no such session"
      about="Nothing to show"
      detail="It may have ended more than 90 days ago, or it is not yours: members see the sessions that they made."
    />
  );
}

function Gone({ title, about, detail, children }: { title: string; about: string; detail: string; children?: ReactNode }) {
  return (
    <Page title={title}>
      <div className="space-y-4">
        <Callout tone="note" title={about}>
          <p>{detail}</p>
        </Callout>
        {children}
        <Link to={paths.sync} className={buttonClass("plain")}>
          All live sessions
        </Link>
      </div>
    </Page>
  );
}
