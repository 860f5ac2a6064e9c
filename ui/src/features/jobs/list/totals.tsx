import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import type { JobState } from "~/api/types";
import { engineQueries } from "~/features/engines/queries";
import { paths } from "~/paths";

/** How much there is to do, over all engines. */
export function Totals() {
  const { data } = useQuery(engineQueries.list);
  const engines = data?.items ?? [];
  const sum = (pick: (engine: (typeof engines)[number]) => number) =>
    data === undefined ? undefined : engines.reduce((total, engine) => total + pick(engine), 0);
  const workers = sum((engine) => engine.workers);
  return (
    <dl className="grid grid-cols-2 gap-2 sm:grid-cols-4">
      <Total title="Running" state="leased" value={sum((engine) => engine.leased)} />
      <Total title="Queued" state="queued" value={sum((engine) => engine.queued)} />
      <Total title="Scheduled" state="scheduled" value={sum((engine) => engine.scheduled)} />
      <Total
        title="Workers busy"
        value={sum((engine) => engine.busy)}
        suffix={workers === undefined ? undefined : `of ${workers}`}
      />
    </dl>
  );
}

interface TotalProps {
  title: string;
  state?: JobState;
  value: number | undefined;
  suffix?: string | undefined;
}

function Total({ title, state, value, suffix }: TotalProps) {
  return (
    <div className="relative rounded-xl border border-line bg-panel px-4 py-2.5 has-[a:hover]:border-line-strong">
      <dt className="text-xs text-ink-faint">
        {state === undefined ? (
          title
        ) : (
          <Link to={paths.jobs} search={{ state }} className="after:absolute after:inset-0 after:rounded-xl">
            {title}
          </Link>
        )}
      </dt>
      <dd className="numeric text-xl font-semibold tracking-tight">
        {value === undefined ? "–" : value.toLocaleString()}
        {suffix !== undefined && <span className="ml-1.5 text-xs font-normal text-ink-faint">{suffix}</span>}
      </dd>
    </div>
  );
}
