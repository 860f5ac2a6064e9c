import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let nowMs = Date.now();

function tick() {
  if (document.visibilityState === "hidden") return;
  nowMs = Date.now();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  if (listeners.size === 0) {
    nowMs = Date.now();
    timer = setInterval(tick, 1_000);
  }
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) clearInterval(timer);
  };
}

function rest() {
  return () => undefined;
}

/** The time, to the second; one timer for the whole page, and none while nothing that shows time is mounted. */
export function useNow(ticking = true): number {
  return useSyncExternalStore(ticking ? subscribe : rest, () => nowMs);
}
