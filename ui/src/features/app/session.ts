import { useSyncExternalStore } from "react";

import { session } from "~/api/client";

export function useSession() {
  return useSyncExternalStore(session.subscribe, session.state);
}
