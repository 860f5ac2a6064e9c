import type { Me } from "~/api/types";

import { useSession } from "./session";

/** What routes of the node ask of their callers; the node says which of these somebody has. */
export type Permission =
  | "signed_in"
  | "status"
  | "read"
  | "sessions_read"
  | "sessions_write"
  | "jobs_write"
  | "members_write"
  | "engines_write"
  | "keys_rotate"
  | "audit_read"
  | "policies_write"
  | "owner_only";

/** Whether the node lets this person do what asks this. */
export function may(me: Me, permission: Permission): boolean {
  return me.permissions.includes(permission);
}

/** Whether the node lets whoever is signed in do what asks this. Where nobody knows who it is, the node's answer tells. */
export function useMay(permission: Permission): boolean {
  const session = useSession();
  return session.name !== "signed_in" || may(session.me, permission);
}
