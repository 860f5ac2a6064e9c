import { useMutation, useQueryClient } from "@tanstack/react-query";

import { ApiError } from "~/api/error";
import { isRecord, number } from "~/json";
import { complaint } from "~/features/app/complaint";
import { isNewer } from "~/sync/newer";
import type { CreateSession, SessionAction, SyncState } from "~/sync/state";
import { syncCalls } from "~/sync/window";
import type { Complaint } from "~/ui/callout";

import { syncQueries } from "./queries";

/** What somebody wants of a session, as they saw it. */
export type Wish =
  | { name: "act"; action: SessionAction; seen: SyncState }
  | { name: "switch_to"; participantId: string; seen: SyncState };

/** Puts a state among what is known, unless something newer is. */
function useKnow() {
  const queries = useQueryClient();
  return (state: SyncState) => {
    const { queryKey } = syncQueries.one(state.session_id);
    queries.setQueryData(queryKey, (known) => (isNewer(state, known) ? state : known));
  };
}

export function useCreateSync() {
  const queries = useQueryClient();
  const know = useKnow();
  return useMutation({
    mutationFn: (request: CreateSession) => syncCalls.create(request),
    onSuccess: know,
    onSettled: () => queries.invalidateQueries({ queryKey: syncQueries.lists }),
  });
}

/** Changes a session, if it still is as it was seen. */
export function useChangeSync(id: string) {
  const queries = useQueryClient();
  const know = useKnow();
  return useMutation({
    mutationFn: (wish: Wish) =>
      wish.name === "act" ? syncCalls.act(wish.seen, wish.action) : syncCalls.switchTo(wish.seen, wish.participantId),
    onSuccess: know,
    // Whatever kept it from being done, what is shown may be old.
    onError: () => queries.invalidateQueries({ queryKey: syncQueries.one(id).queryKey }),
  });
}

export function useDeleteSync() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ session_id: id, version }: SyncState) => syncCalls.remove(id, version),
    onSettled: () => queries.invalidateQueries({ queryKey: syncQueries.lists }),
  });
}

/** Puts in words why a change was not made. */
export function syncComplaint(error: unknown): Complaint {
  const plain = complaint(error);
  if (!(error instanceof ApiError) || error.code !== "CONFLICT") return plain;
  const details = isRecord(error.details) ? error.details : {};
  const [seen, actual] = [number(details["expected_version"]), number(details["actual_version"])];
  const versions = seen === undefined || actual === undefined ? "" : ` You saw version ${seen}; it is at version ${actual} now.`;
  return {
    ...plain,
    title: "Somebody else was faster, so nothing was done",
    hint: `The session changed just before.${versions} Look at how it is now, and press again if you still want to.`,
  };
}
