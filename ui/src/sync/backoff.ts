/** After the nth failure in a row; the last one from then on. */
export const RETRY_DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000] as const;

/** How much of a delay is chance: thousands who were cut off at once must not come back at once. */
const JITTER = 0.5;

/** How long to wait after so many failures in a row. `chance` is from 0 up to 1. */
export function backoffMs(failures: number, chance: number): number {
  const longest = RETRY_DELAYS_MS[RETRY_DELAYS_MS.length - 1] ?? 30_000;
  const delayMs = RETRY_DELAYS_MS[Math.max(0, failures - 1)] ?? longest;
  return Math.round(delayMs * (1 - JITTER * chance));
}
