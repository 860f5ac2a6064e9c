import { queryOptions } from "@tanstack/react-query";

import { getSchedule, listSchedules, previewSchedule } from "~/api/calls";
import type { PreviewScheduleRequest } from "~/api/types";

/** How long typing has to rest before the node is asked for a preview. */
const PREVIEW_PAUSE_MS = 250;

export const scheduleQueries = {
  /** Everything about schedules but previews. */
  all: ["schedules"] as const,

  list: (cursor: string | undefined) =>
    queryOptions({
      queryKey: ["schedules", "list", cursor ?? ""] as const,
      queryFn: ({ signal }) => listSchedules(cursor, signal),
      placeholderData: (before) => before,
    }),

  one: (id: string) =>
    queryOptions({
      queryKey: ["schedules", "one", id] as const,
      queryFn: ({ signal }) => getSchedule(id, signal),
    }),

  preview: (request: PreviewScheduleRequest) =>
    queryOptions({
      queryKey: ["schedule preview", request] as const,
      // Every letter is a request of its own; those that are typed over end before they are sent.
      queryFn: async ({ signal }) => {
        await pause(PREVIEW_PAUSE_MS, signal);
        return previewSchedule(request, signal);
      },
      retry: false,
      // It begins at the present, so an old one is of no use.
      gcTime: 0,
    }),
};

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("typed over", "AbortError"));
    });
  });
}
