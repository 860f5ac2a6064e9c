import type { AuditEntry, AuditOutcome } from "~/api/types";
import type { Tone } from "~/ui/pill";

/** How an outcome looks. */
export function outcomeLook(outcome: AuditOutcome): { title: string; tone: Tone } {
  switch (outcome) {
    case "done":
      return { title: "Done", tone: "good" };
    case "refused":
      return { title: "Refused", tone: "warn" };
    case "failed":
      return { title: "Failed", tone: "bad" };
  }
}

/** Who did it, in words; `nameOf` knows the members. */
export function actorWords({ kind, subject }: AuditEntry["actor"], nameOf: (subject: string) => string): string {
  switch (kind) {
    case "person":
      return subject ? nameOf(subject) : "Somebody";
    case "admin":
      return subject ? `Admin token of ${nameOf(subject)}` : "An admin token";
    case "engine":
      return subject ? `Engine ${subject}` : "An engine";
    case "machine":
      return "The command line of the machine";
    case "node":
      return "The node itself";
    case "nobody":
      return "Somebody who was not signed in";
  }
}
