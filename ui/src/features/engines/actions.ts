import { useMutation, useQueryClient } from "@tanstack/react-query";

import { createEngine, revokeEngineToken, rotateEngineToken } from "~/api/access";

import { engineQueries } from "./queries";

// Answers carry secrets, so none of these stays in the cache once nobody shows it.
const FORGET = { gcTime: 0 } as const;

function useEnginesChanged() {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: engineQueries.list.queryKey });
}

/** Makes an engine that may join from another machine. */
export function useAddEngine() {
  const changed = useEnginesChanged();
  return useMutation({ ...FORGET, mutationFn: (name: string) => createEngine(name), onSettled: changed });
}

/** Gives an engine a new token; the old one works for the grace period as well. */
export function useRotateToken(engineId: string) {
  const changed = useEnginesChanged();
  return useMutation({
    ...FORGET,
    mutationFn: (graceSeconds: number) => rotateEngineToken(engineId, graceSeconds),
    onSettled: changed,
  });
}

/** Keeps an engine out. */
export function useRevokeToken(engineId: string) {
  const changed = useEnginesChanged();
  return useMutation({ mutationFn: () => revokeEngineToken(engineId), onSettled: changed });
}
