import { useQuery } from "@tanstack/react-query";
import { Cpu, Plus } from "lucide-react";
import { useState } from "react";

import type { Engine } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { useMay } from "~/features/app/rights";
import { DrainSection } from "~/features/drain/section";
import { Button } from "~/ui/button";
import { EmptyState } from "~/ui/empty-state";
import { Facts } from "~/ui/facts";
import { Page, Section } from "~/ui/page";
import { Pill } from "~/ui/pill";
import { Ago } from "~/ui/time";

import { AddEngine } from "./add";
import { AutoscalerSection } from "./autoscaler";
import { engineLook } from "./look";
import { engineQueries } from "./queries";
import { ShardProblems } from "./shard-problems";
import { TokenActions, TokenWords } from "./token-actions";
import { vitalFacts } from "./vitals";
import { Workers } from "./workers";
import { WorkersControl } from "./workers-control";

const TOKEN_ACTIONS = ["rotate_token", "revoke_token"];

/** The hosts of workers and how busy they are. */
export function EnginesPage() {
  const query = useQuery(engineQueries.list);
  const [adding, setAdding] = useState(false);
  return (
    <Page
      title="Engines"
      detail="An engine is a host of workers. The local one came with this node."
      actions={
        useMay("engines_write") && (
          <Button onClick={() => setAdding(true)}>
            <Plus aria-hidden className="size-4" />
            Add engine
          </Button>
        )
      }
    >
      <div className="space-y-4">
        <Loaded query={query} what="engines">
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState icon={Cpu} title="No engines">
                Without one nothing runs. The local engine starts with the node.
              </EmptyState>
            ) : (
              <div className="grid items-start gap-4 md:grid-cols-2">
                {items.map((engine) => (
                  <EnginePanel key={engine.id} engine={engine} />
                ))}
                <AutoscalerSection />
              </div>
            )
          }
        </Loaded>
        <DrainSection />
      </div>
      {adding && <AddEngine onClose={() => setAdding(false)} />}
    </Page>
  );
}

function EnginePanel({ engine }: { engine: Engine }) {
  const { title, tone } = engineLook(engine);
  const unwell = engine.shard_problems.length;
  return (
    <Section title={engine.name} aside={<Pill tone={tone}>{title}</Pill>}>
      <div className="space-y-4">
        <Workers engine={engine} />
        {engine.allowed_actions.includes("set_workers") && <WorkersControl engine={engine} />}
        <ShardProblems engine={engine} />
        <Facts
          items={[
            ["Running", engine.leased.toLocaleString()],
            ["Queued", engine.queued.toLocaleString()],
            ["Scheduled", engine.scheduled.toLocaleString()],
            ["Shards", unwell === 0 ? `${engine.shards}, all well` : `${engine.shards}, ${unwell} not well`],
            ["Where", engine.location === "local" ? "In this node" : "In a process of its own"],
            ...(engine.last_seen_at ? [["Last seen", <Ago at={engine.last_seen_at} />] as const] : []),
            ...(engine.version ? [["Version", engine.version] as const] : []),
            ...vitalFacts(engine.vitals),
            ...(engine.token ? [["Token", <TokenWords token={engine.token} />] as const] : []),
            ["Id", <code className="font-mono text-xs text-ink-soft">{engine.id}</code>],
          ]}
        />
        {TOKEN_ACTIONS.some((action) => engine.allowed_actions.includes(action)) && <TokenActions engine={engine} />}
      </div>
    </Section>
  );
}
