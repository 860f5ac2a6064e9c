import { useMutation, useQueryClient } from "@tanstack/react-query";

import { addMemberKey, createLink, createMember, deleteMember, removeMemberKey, setGuests, updateMember } from "~/api/access";
import type { AddMemberKeyRequest, CreateMemberRequest, GuestPolicy, UpdateMemberRequest } from "~/api/types";

import { memberQueries } from "./queries";

function useMembersChanged() {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: memberQueries.all });
}

/** Adds a member, and their wallet's address where there is one. */
export function useAddMember() {
  const changed = useMembersChanged();
  return useMutation({
    mutationFn: async ({ request, address }: { request: CreateMemberRequest; address: string | undefined }) => {
      const member = await createMember(request);
      if (address === undefined) return member;
      try {
        await addMemberKey(member.subject, { address, kind: "wallet", name: "Wallet" });
      } catch (error) {
        // A member whose wallet is refused is not the member that was asked for.
        await deleteMember(member.subject);
        throw error;
      }
      return member;
    },
    onSettled: changed,
  });
}

/** Renames a member, changes their role, keeps them out or lets them in again. */
export function useUpdateMember(subject: string) {
  const changed = useMembersChanged();
  return useMutation({ mutationFn: (request: UpdateMemberRequest) => updateMember(subject, request), onSettled: changed });
}

export function useDeleteMember(subject: string) {
  const changed = useMembersChanged();
  return useMutation({ mutationFn: () => deleteMember(subject), onSettled: changed });
}

export function useAddKey(subject: string) {
  const changed = useMembersChanged();
  return useMutation({ mutationFn: (request: AddMemberKeyRequest) => addMemberKey(subject, request), onSettled: changed });
}

export function useRemoveKey(subject: string) {
  const changed = useMembersChanged();
  return useMutation({ mutationFn: (address: string) => removeMemberKey(subject, address), onSettled: changed });
}

/** Makes a link that signs one browser in as a member. */
export function useInvite(subject: string) {
  return useMutation({ mutationFn: () => createLink(subject) });
}

/** Decides what those may see who are no members. */
export function useSetGuests() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (policy: GuestPolicy) => setGuests(policy),
    onSettled: () => queries.invalidateQueries({ queryKey: memberQueries.guests.queryKey }),
  });
}
