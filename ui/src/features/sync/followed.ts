import { useQuery } from "@tanstack/react-query";
import { useState, useSyncExternalStore } from "react";

import { isNewer } from "~/sync/newer";
import { followSession, nodeClock } from "~/sync/window";

import { syncQueries } from "./queries";

/** While the line is cut, the session is asked for this often: what blocks sockets may let requests through. */
const ASK_EVERY_MS = 5_000;

/** The newest state of a session, from its socket or from an answer, and how the way to it is. */
export function useFollowed(id: string) {
  const [follower] = useState(() => followSession(id));
  const { link, state: heard } = useSyncExternalStore(follower.subscribe, follower.followed);
  const query = useQuery({
    ...syncQueries.one(id),
    refetchInterval: link.name === "waiting" ? ASK_EVERY_MS : false,
  });
  const asked = query.data;
  const state = asked !== undefined && isNewer(asked, heard) ? asked : heard;
  return { state, link, query, retryNow: follower.retryNow };
}

/** What is known about the node's clock; it is kept right while somebody asks. */
export function useClockReading() {
  return useSyncExternalStore(nodeClock.subscribe, nodeClock.reading);
}
