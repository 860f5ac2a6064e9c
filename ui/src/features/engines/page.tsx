import { useQuery } from "@tanstack/react-query";
import { Cpu } from "lucide-react";

import type { Engine } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { EmptyState } from "~/ui/empty-state";
import { Facts } from "~/ui/facts";
import { Page, Section } from "~/ui/page";
import { Ago } from "~/ui/time";

import { engineQueries } from "./queries";

/** The hosts of workers and how busy they are. */
export function EnginesPage() {
  const query = useQuery(engineQueries.list);
  return (
    <Page title="Engines" detail="An engine is a host of workers. The local one came with this node.">
      <Loaded query={query} what="engines">
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon={Cpu} title="No engines">
              Without one nothing runs. The local engine starts with the node.
            </EmptyState>
          ) : (
            <div className="grid gap-4 md:grid-cols-2">
              {items.map((engine) => (
                <EnginePanel key={engine.id} engine={engine} />
              ))}
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}

function EnginePanel({ engine }: { engine: Engine }) {
  const { title, className } = look(engine);
  return (
    <Section
      title={engine.name}
      aside={<span className={`rounded-full px-2.5 py-0.5 text-xs font-medium ${className}`}>{title}</span>}
    >
      <div className="space-y-4">
        <Workers engine={engine} />
        <Facts
          items={[
            ["Running", engine.leased.toLocaleString()],
            ["Queued", engine.queued.toLocaleString()],
            ["Scheduled", engine.scheduled.toLocaleString()],
            ["Shards", String(engine.shards)],
            ["Where", engine.location === "local" ? "In this node" : "In a process of its own"],
            ...(engine.last_seen_at ? [["Last seen", <Ago at={engine.last_seen_at} />] as const] : []),
            ...(engine.version ? [["Version", engine.version] as const] : []),
            ["Id", <code className="font-mono text-xs text-ink-soft">{engine.id}</code>],
          ]}
        />
      </div>
    </Section>
  );
}

function Workers({ engine: { workers, busy } }: { engine: Engine }) {
  return (
    <div className="space-y-1.5">
      <p className="text-[13px]">
        <span className="numeric font-semibold">{busy}</span> of <span className="numeric font-semibold">{workers}</span>{" "}
        workers busy
      </p>
      <div aria-hidden className="flex gap-1">
        {Array.from({ length: Math.min(workers, 64) }, (_, worker) => (
          <span key={worker} className={`h-2 flex-1 rounded-full ${worker < busy ? "bg-run" : "bg-hover"}`} />
        ))}
      </div>
    </div>
  );
}

function look({ state }: Engine): { title: string; className: string } {
  switch (state) {
    case "up":
      return { title: "Up", className: "bg-good-soft text-good" };
    case "draining":
      return { title: "Draining", className: "bg-warn-soft text-warn" };
    case "stale":
      return { title: "Not heard of", className: "bg-bad-soft text-bad" };
  }
}
