import { useMutation, useQueryClient } from "@tanstack/react-query";

import { endSignIn, removeMemberKey, signOutEverywhere } from "~/api/access";
import type { SignInSession } from "~/api/types";
import { memberQueries } from "~/features/members/queries";

import { deviceQueries } from "./queries";

/** Ends one session. With its key, which then opens no more, all others that the key opened end too. */
export function useEndSession() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ session, removeKey }: { session: SignInSession; removeKey: boolean }) => {
      if (removeKey && session.address) await removeMemberKey(session.subject, session.address);
      else await endSignIn(session.session_id);
    },
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: deviceQueries.all }),
        queries.invalidateQueries({ queryKey: memberQueries.all }),
      ]),
  });
}

/** Ends all sessions of whoever asks, this one too. */
export function useSignOutEverywhere() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => signOutEverywhere(),
    onSettled: () => queries.invalidateQueries({ queryKey: deviceQueries.all }),
  });
}
