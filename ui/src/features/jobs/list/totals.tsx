import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import type { Engine, JobState } from "~/api/types";
import { engineQueries } from "~/features/engines/queries";
import { paths } from "~/paths";
import { Tile, Tiles } from "~/ui/tile";

/** How much there is to do, over all engines. */
export function Totals() {
  const { data } = useQuery(engineQueries.list);
  const sum = (pick: (engine: Engine) => number) => data?.items.reduce((total, engine) => total + pick(engine), 0);
  const workers = sum((engine) => engine.workers);
  return (
    <Tiles label="Jobs and workers">
      <Tile title={<StateLink state="leased" title="Running" />} value={sum((engine) => engine.leased)?.toLocaleString()} />
      <Tile title={<StateLink state="queued" title="Queued" />} value={sum((engine) => engine.queued)?.toLocaleString()} />
      <Tile
        title={<StateLink state="scheduled" title="Scheduled" />}
        value={sum((engine) => engine.scheduled)?.toLocaleString()}
      />
      <Tile title="Workers busy" value={sum((engine) => engine.busy)} suffix={workers === undefined ? undefined : `of ${workers}`} />
    </Tiles>
  );
}

function StateLink({ state, title }: { state: JobState; title: string }) {
  return (
    <Link to={paths.jobs} search={{ state }}>
      {title}
    </Link>
  );
}
