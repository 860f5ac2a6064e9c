import type { Engine } from "~/api/types";
import { formatBytes } from "~/ui/duration";

/** How an engine elsewhere says it is, as far as it does. */
export function vitalFacts(vitals: Engine["vitals"]): (readonly [string, string])[] {
  if (!vitals) return [];
  const { memory_bytes: own, machine_memory_bytes: all, machine_memory_free_bytes: free, machine_cpu: cpu } = vitals;
  const machine = [
    ...(typeof cpu === "number" ? [`${Math.round(cpu * 100)} % busy`] : []),
    ...(typeof all === "number" && typeof free === "number" ? [`${formatBytes(free)} of ${formatBytes(all)} free`] : []),
  ];
  return [
    ...(typeof own === "number" ? [["Memory", formatBytes(own)] as const] : []),
    ...(machine.length > 0 ? [["Machine", machine.join(", ")] as const] : []),
  ];
}
