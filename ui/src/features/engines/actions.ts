import { useMutation, useQueryClient } from "@tanstack/react-query";

import { createEngine, revokeEngineToken, rotateEngineToken } from "~/api/access";
import { setWorkers } from "~/api/calls";

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

/** Decides how many workers an engine has; `null` leaves it to the load and the settings again. */
export function useSetWorkers(engineId: string) {
  const queries = useQueryClient();
  return useMutation({
    // Presses in a row are sent in a row.
    scope: { id: `workers ${engineId}` },
    mutationFn: (workers: number | null) => setWorkers(engineId, workers),
    onSuccess: (engine) =>
      queries.setQueryData(
        engineQueries.list.queryKey,
        (known) => known && { ...known, items: known.items.map((one) => (one.id === engine.id ? engine : one)) },
      ),
    onSettled: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: engineQueries.list.queryKey }),
        queries.invalidateQueries({ queryKey: engineQueries.autoscaler.queryKey }),
      ]),
  });
}
