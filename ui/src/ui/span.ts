/** The units a person chooses from, largest last. */
export const UNITS = [
  { name: "milliseconds", ms: 1 },
  { name: "seconds", ms: 1_000 },
  { name: "minutes", ms: 60_000 },
  { name: "hours", ms: 3_600_000 },
  { name: "days", ms: 86_400_000 },
] as const;

export type Unit = (typeof UNITS)[number]["name"];

/** Takes a length of time apart into the largest unit that divides it evenly, and how many of it. */
export function splitSpan(ms: number | undefined): { count: string; unit: Unit } {
  if (ms === undefined || ms <= 0) return { count: ms === undefined ? "" : "0", unit: "seconds" };
  const unit = UNITS.findLast((candidate) => ms % candidate.ms === 0) ?? UNITS[0];
  return { count: String(ms / unit.ms), unit: unit.name };
}

/** Puts a number as it was typed and its unit together; `undefined` if it is no number. */
export function joinSpan(count: string, unit: Unit): number | undefined {
  const typed = count.trim().replace(",", ".");
  const factor = UNITS.find(({ name }) => name === unit)?.ms ?? 1;
  if (typed === "" || !/^\d+(\.\d+)?$/.test(typed)) return undefined;
  return Math.round(Number(typed) * factor);
}

const EACH: Partial<Record<number, string>> = { 1_000: "a second", 60_000: "a minute", 3_600_000: "an hour", 86_400_000: "a day" };

/** A period for a sentence: `a minute`, `every 10 minutes`. */
export function perPeriod(ms: number): string {
  const { count, unit } = splitSpan(ms);
  return EACH[ms] ?? `every ${count} ${unit}`;
}

/** A length of time for a sentence: `1 hour`, `90 seconds`. */
export function spanWords(ms: number): string {
  const { count, unit } = splitSpan(ms);
  return `${count} ${count === "1" ? unit.slice(0, -1) : unit}`;
}
