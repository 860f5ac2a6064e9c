import { useQuery } from "@tanstack/react-query";
import { useState, useSyncExternalStore } from "react";

import { isNewer } from "~/sync/newer";
import { followSession, nodeClock } from "~/sync/window";

import { syncQueries } from "./queries";

/** The newest state of a session, from its socket or from an answer, and how the way to it is. */
export function useFollowed(id: string) {
  const [follower] = useState(() => followSession(id));
  const { link, state: heard } = useSyncExternalStore(follower.subscribe, follower.followed);
  const query = useQuery(syncQueries.one(id));
  const asked = query.data;
  const state = asked !== undefined && isNewer(asked, heard) ? asked : heard;
  // What blocks sockets may let requests through, so whoever does not want to wait is shown what is there at least.
  const retryNow = () => {
    follower.retryNow();
    void query.refetch();
  };
  return { state, link, query, retryNow };
}

/** What is known about the node's clock; it is kept right while somebody asks. */
export function useClockReading() {
  return useSyncExternalStore(nodeClock.subscribe, nodeClock.reading);
}
