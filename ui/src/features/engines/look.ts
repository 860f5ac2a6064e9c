import type { Engine, ShardProblem } from "~/api/types";
import type { Tone } from "~/ui/pill";

/** How the state of an engine is said and shown. */
export function engineLook({ state }: Engine): { title: string; tone: Tone } {
  switch (state) {
    case "up":
      return { title: "Up", tone: "good" };
    case "draining":
      return { title: "Draining", tone: "warn" };
    case "stale":
      return { title: "Not heard of", tone: "bad" };
  }
}

/** What happened to a shard, for a person. */
export function shardWords({ index, state, cause }: ShardProblem): string {
  const what = `Shard ${index}`;
  switch (state) {
    case "failing":
      return `${what} cannot be written to at present`;
    case "quarantined":
      return cause === "damaged" ? `${what} is quarantined: its file is damaged` : `${what} is quarantined: its file cannot be read`;
  }
}

/** What that means for its jobs, for a person. */
export function shardMeaning({ state }: ShardProblem): string {
  switch (state) {
    case "failing":
      return "Its jobs can be read but not changed, and none of them starts. It is tried again by itself.";
    case "quarantined":
      return "Its jobs are left alone until it is repaired; nothing of it is changed. All other shards go on.";
  }
}
