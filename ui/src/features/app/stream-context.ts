import { createContext, use } from "react";

import type { EventStream } from "~/api/events/stream";

/** The one event stream of this page; made at start and handed down. */
export const StreamContext = createContext<EventStream | undefined>(undefined);

export function useStream(): EventStream {
  const stream = use(StreamContext);
  if (stream === undefined) throw new Error("There is no event stream around this component.");
  return stream;
}
