import type { Option } from "~/ui/combobox";

/** The time zone of this browser. */
export function ownTimeZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** All time zones that this browser knows, each with its offset now; the own one and UTC first. */
export function timeZones(now: Date = new Date()): Option[] {
  const first = [...new Set([ownTimeZone(), "UTC"])];
  const others = Intl.supportedValuesOf("timeZone").filter((name) => !first.includes(name));
  return [...first, ...others].map((name) => ({ value: name, title: name, detail: offsetOf(name, now) }));
}

function offsetOf(timeZone: string, now: Date): string {
  const parts = new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "longOffset" }).formatToParts(now);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
}
