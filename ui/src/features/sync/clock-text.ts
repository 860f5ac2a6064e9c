/** Which way a clock runs: what is left is rounded up, so that zero means that it is out; what has passed is rounded down. */
export type Direction = "down" | "up";

const TENTH_MS = 100;

/** A clock for the eye, to the tenth of a second: `0:09.3`, `12:30.0`, `1:02:03.4`. */
export function clockText(ms: number, direction: Direction): string {
  const tenths = direction === "down" ? Math.ceil(ms / TENTH_MS) : Math.floor(ms / TENTH_MS);
  const seconds = Math.floor(tenths / 10);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  const tail = `${String(seconds % 60).padStart(2, "0")}.${tenths % 10}`;
  return hours === 0 ? `${minutes}:${tail}` : `${hours}:${String(minutes).padStart(2, "0")}:${tail}`;
}

/** The same for programs, to the millisecond: an ISO 8601 duration. */
export function clockDuration(ms: number): string {
  return `PT${(Math.round(ms) / 1_000).toFixed(3)}S`;
}
