/** Pause between two fetches of the same thing, however often it changes. */
export const REFRESH_PAUSE_MS = 500;
/** The same for sessions: who has a list of them open must have calls left for what they do with them, of 100 a minute. */
export const SESSIONS_PAUSE_MS = 5_000;

/**
 * Fetches what changed: the first time at once, then again when the fetch before and a pause are over. A flood of
 * events becomes a slow, steady refresh, and the last event is never missed.
 */
export function createRefresher(fetchAnew: (name: string) => Promise<unknown>, pauseMs: (name: string) => number) {
  const busy = new Map<string, { again: boolean }>();

  function refresh(name: string): void {
    const running = busy.get(name);
    if (running !== undefined) {
      running.again = true;
      return;
    }
    const turn = { again: false };
    busy.set(name, turn);
    void fetchAnew(name)
      .catch(() => undefined)
      .then(() => new Promise((resolve) => setTimeout(resolve, pauseMs(name))))
      .then(() => {
        busy.delete(name);
        if (turn.again) refresh(name);
      });
  }

  return refresh;
}
