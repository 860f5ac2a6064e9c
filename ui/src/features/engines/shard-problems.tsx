import type { Engine } from "~/api/types";
import { Callout, Hint } from "~/ui/callout";
import { CopyButton } from "~/ui/copy-button";
import { Ago } from "~/ui/time";

import { shardMeaning, shardWords } from "./look";

/** What is wrong with the shards of an engine, and what to do. Nothing, when all are well. */
export function ShardProblems({ engine }: { engine: Engine }) {
  return engine.shard_problems.map((problem) => (
    <Callout key={problem.index} tone={problem.state === "quarantined" ? "bad" : "warn"} title={shardWords(problem)}>
      <p>
        {shardMeaning(problem)} Since <Ago at={problem.since} />: {problem.reason}
      </p>
      <Hint>{problem.hint}</Hint>
      <p className="flex flex-wrap items-center text-xs">
        <code className="font-mono">{problem.file}</code>
        <CopyButton value={problem.file} what="the path of the file" />
      </p>
    </Callout>
  ));
}
