import { useMutation, useQueryClient } from "@tanstack/react-query";

import { createSchedule, deleteSchedule, runSchedule, updateSchedule } from "~/api/calls";
import type { CreateScheduleRequest, UpdateScheduleRequest } from "~/api/types";
import { newId } from "~/new-id";

import { scheduleQueries } from "./queries";

function useRefresh() {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: scheduleQueries.all });
}

export function useCreateSchedule() {
  const refresh = useRefresh();
  return useMutation({ mutationFn: (request: CreateScheduleRequest) => createSchedule(request), onSettled: refresh });
}

export function useUpdateSchedule(id: string) {
  const refresh = useRefresh();
  return useMutation({ mutationFn: (request: UpdateScheduleRequest) => updateSchedule(id, request), onSettled: refresh });
}

/** Enqueues the job of a schedule now, besides its own times. */
export function useRunSchedule(id: string) {
  const refresh = useRefresh();
  return useMutation({ mutationFn: () => runSchedule(id, newId()), onSettled: refresh });
}

export function useDeleteSchedule(id: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => deleteSchedule(id),
    onSuccess: () => queries.removeQueries({ queryKey: scheduleQueries.one(id).queryKey }),
    onSettled: () => queries.invalidateQueries({ queryKey: ["schedules", "list"] }),
  });
}
