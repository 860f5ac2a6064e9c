import { Minus, Plus } from "lucide-react";

import type { Engine } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";

import { useSetWorkers } from "./actions";

/** Fewer than one is a drain, which has a switch of its own. */
const WORKERS_MIN = 1;
/** The most that a node takes. */
const WORKERS_MAX = 256;

/** Fewer workers, more of them, or as many as the load needs. */
export function WorkersControl({ engine }: { engine: Engine }) {
  const set = useSetWorkers(engine.id);
  const isLocal = engine.location === "local";
  // What was pressed last counts as done until the node says otherwise: the next press goes on from there.
  const fixed = set.isPending ? set.variables : (engine.workers_fixed ?? null);
  const wanted = fixed ?? engine.workers;
  // A button that is switched off loses the keyboard, so at the ends a press does nothing.
  const change = (workers: number) => {
    if (workers >= WORKERS_MIN && workers <= WORKERS_MAX) set.mutate(workers);
  };
  return (
    <div className="space-y-2">
      <div role="group" aria-label={`Workers of ${engine.name}`} className="flex flex-wrap items-center gap-2 text-[13px]">
        <Button aria-disabled={wanted <= WORKERS_MIN} onClick={() => change(wanted - 1)}>
          <Minus aria-hidden className="size-4" />
          Fewer
        </Button>
        <Button aria-disabled={wanted >= WORKERS_MAX} onClick={() => change(wanted + 1)}>
          <Plus aria-hidden className="size-4" />
          More
        </Button>
        {fixed !== null && <Button onClick={() => set.mutate(null)}>{isLocal ? "By load" : "As started"}</Button>}
        <span role="status" aria-label="Number of workers" className="text-ink-soft">
          {words(fixed, isLocal)}
        </span>
      </div>
      {set.isError && <ErrorCallout problem={complaint(set.error)} />}
    </div>
  );
}

function words(fixed: number | null, isLocal: boolean): string {
  if (fixed !== null) return `Fixed at ${fixed}`;
  return isLocal ? "As the load and the settings say" : "As it was started";
}
