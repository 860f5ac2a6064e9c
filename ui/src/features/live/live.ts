import type { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";

import { fetchAsUser, session } from "~/api/client";
import { createEventStream, type EventStream } from "~/api/events/stream";
import { may } from "~/features/app/rights";
import { platform } from "~/platform";
import { nodePaths } from "~/paths";

import { eventApplier } from "./apply-event";

/** A hidden page lets go of its connection after this long: a browser has only six to one host. */
const HIDDEN_FOR_MS = 20_000;

/** Follows the node's events into the query cache while somebody is signed in and the page can be seen. */
export function followNode(queries: QueryClient): EventStream {
  const stream = createEventStream({
    open: (lastEventId, signal) => {
      const headers = new Headers({ accept: "text/event-stream" });
      if (lastEventId !== undefined) headers.set("last-event-id", lastEventId);
      return fetchAsUser(new Request(platform.nodeUrl() + nodePaths.events, { headers, signal, cache: "no-store" }));
    },
    onEvent: eventApplier(queries),
    onOpen: (isFirst) => {
      // What was fetched before the stream began may be old; what failed while the node was away is worth a new try.
      void queries.invalidateQueries({ predicate: ({ state }) => isFirst || state.status === "error" });
    },
    now: () => Date.now(),
  });

  let hidden: ReturnType<typeof setTimeout> | undefined;
  function settle() {
    clearTimeout(hidden);
    const state = session.state();
    if (state.name !== "signed_in" || !may(state.me, "read")) {
      stream.stop();
      stream.forget();
    } else if (document.visibilityState === "hidden") {
      hidden = setTimeout(() => stream.stop(), HIDDEN_FOR_MS);
    } else {
      stream.start();
    }
  }
  session.subscribe(() => {
    if (session.state().name === "signed_out") queries.clear();
    settle();
  });
  document.addEventListener("visibilitychange", settle);
  settle();
  return stream;
}

export function useStreamState(stream: EventStream) {
  return useSyncExternalStore(stream.subscribe, stream.state);
}
