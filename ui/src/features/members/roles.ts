import type { Role } from "~/api/types";

/** What a role means to a person. */
export const ROLE_WORDS: Record<Role, { title: string; detail: string }> = {
  owner: { title: "Owner", detail: "Everything, also members and keys." },
  operator: { title: "Operator", detail: "All jobs, queues, limits and the drain." },
  member: { title: "Member", detail: "Their own jobs." },
  viewer: { title: "Viewer", detail: "Sees everything about jobs and changes nothing." },
  guest: { title: "Guest", detail: "Sees what is open to guests." },
};

/** The roles that can be given; there is one owner. */
export const GIVEN_ROLES = ["operator", "member", "viewer"] as const satisfies readonly Role[];

export type GivenRole = (typeof GIVEN_ROLES)[number];

/** The choices of a form that gives a role. */
export const ROLE_CHOICES = GIVEN_ROLES.map((value) => ({ value, ...ROLE_WORDS[value] }));

/** The role that can be given, or the weakest one where there is none. */
export function givenRole(role: Role): GivenRole {
  return GIVEN_ROLES.find((given) => given === role) ?? "viewer";
}
