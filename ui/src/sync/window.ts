import { fetchAsUser } from "~/api/client";
import { platform } from "~/platform";

import { createSyncCalls, readTime } from "~/api/sync-calls";
import { createFollower, openBrowserSocket } from "./follow";
import { createFrames } from "./frames";
import { createNodeClock } from "./node-clock";
import { browserAfter, steadyNow } from "./timers";

/** The client of sync sessions, as one window of a browser has it: the only place here that knows of a browser. */

/** An answer that takes longer than this is none. */
const TIME_MAX_MS = 5_000;

function isVisible(): boolean {
  return document.visibilityState !== "hidden";
}

function onVisibility(listener: () => void): () => void {
  document.addEventListener("visibilitychange", listener);
  return () => document.removeEventListener("visibilitychange", listener);
}

function onStir(listener: () => void): () => void {
  const signs = ["focus", "online", "pageshow"] as const;
  for (const sign of signs) window.addEventListener(sign, listener);
  return () => {
    for (const sign of signs) window.removeEventListener(sign, listener);
  };
}

function onWake(listener: () => void): () => void {
  const onShown = () => {
    if (isVisible()) listener();
  };
  document.addEventListener("visibilitychange", onShown);
  window.addEventListener("online", listener);
  return () => {
    document.removeEventListener("visibilitychange", onShown);
    window.removeEventListener("online", listener);
  };
}

export const syncCalls = createSyncCalls({ nodeUrl: () => platform.nodeUrl(), fetch: fetchAsUser });

/** The node's clock: one for the whole window, so that all that ticks in it agrees. */
export const nodeClock = createNodeClock({
  // Without a token: it needs none, and waiting for one would count as the way to the node.
  fetchTime: async (signal) => {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(TIME_MAX_MS)]);
    return readTime(await fetch(new Request(`${platform.nodeUrl()}/v1/time`, { signal: bounded, cache: "no-store" })));
  },
  now: steadyNow,
  timeOfDay: Date.now,
  after: browserAfter,
  isVisible,
  onVisibility,
  onStir,
});

/** Draws what ticks. */
export const onEachFrame = createFrames({
  requestFrame: (task) =>
    requestAnimationFrame(() => {
      // The first picture after a sleep is as early as a page hears of it.
      nodeClock.notice();
      task();
    }),
  cancelFrame: (id) => cancelAnimationFrame(id),
  isVisible,
  onVisibility,
});

/** Follows one session of the node. */
export function followSession(id: string) {
  return createFollower({
    fetchTicket: () => syncCalls.fetchTicket(),
    openSocket: (ticket, events) =>
      openBrowserSocket(syncCalls.socketUrl(id, ticket), {
        ...events,
        onMessage: (text) => {
          nodeClock.notice();
          events.onMessage(text);
        },
      }),
    onReconnected: nodeClock.resync,
    now: steadyNow,
    after: browserAfter,
    random: Math.random,
    onWake,
  });
}
