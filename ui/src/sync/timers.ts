/** Calls back after a while. Returns what calls that off. */
export type After = (ms: number, task: () => void) => () => void;

/** The timers of a browser. */
export const browserAfter: After = (ms, task) => {
  const timer = setTimeout(task, ms);
  return () => clearTimeout(timer);
};

/**
 * This machine's clock, in milliseconds since the Unix epoch. It begins at the time of day and then only runs forward,
 * so that nobody who sets the time of day makes a clock jump. On some systems it stands still while the machine sleeps.
 */
export function steadyNow(): number {
  return performance.timeOrigin + performance.now();
}
