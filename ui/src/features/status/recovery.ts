import type { Notice } from "~/api/types";

/** Whether a notice says that the node was started to be looked at and mended: without workers and modules. */
export function isRecovery({ code }: Notice): boolean {
  return code === "RECOVERY_MODE";
}
