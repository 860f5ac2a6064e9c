import type { Engine } from "~/api/types";
import { engineLook } from "~/features/engines/look";
import { Workers } from "~/features/engines/workers";
import { paths } from "~/paths";
import { Section } from "~/ui/page";
import { Pill } from "~/ui/pill";

import { AllLink } from "./all-link";

/** Each engine in a line or two. */
export function EnginesSection({ engines }: { engines: readonly Engine[] | undefined }) {
  return (
    <Section title="Engines" flush aside={<AllLink to={paths.engines} title="Workers and shards" />}>
      <ul>
        {engines?.map((engine) => {
          const { title, tone } = engineLook(engine);
          const unwell = engine.shard_problems.length;
          return (
            <li key={engine.id} className="space-y-1.5 border-b border-line px-4 py-3 last:border-0">
              <p className="flex flex-wrap items-center justify-between gap-2 text-[13px]">
                <span className="font-medium [overflow-wrap:anywhere]">{engine.name}</span>
                <span className="flex gap-1.5">
                  {unwell > 0 && <Pill tone="bad">{unwell === 1 ? "1 shard not well" : `${unwell} shards not well`}</Pill>}
                  <Pill tone={tone}>{title}</Pill>
                </span>
              </p>
              <Workers engine={engine} />
            </li>
          );
        })}
      </ul>
    </Section>
  );
}
