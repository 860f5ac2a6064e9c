import type { Limit } from "~/api/types";
import { perPeriod } from "~/ui/span";

/** What a limit can count, in the order of the form. */
export const TARGET_KINDS = [
  { word: "kind", title: "Kind", what: "Jobs of one kind, such as llm.chat" },
  { word: "user", title: "User", what: "Jobs that one user enqueued" },
  { word: "queue", title: "Queue", what: "Jobs in one queue" },
  { word: "provider", title: "Provider", what: "Jobs that ask one provider of language models" },
  { word: "key", title: "Concurrency key", what: "Jobs with one concurrency_key, such as a tenant's" },
] as const;

export type TargetKind = (typeof TARGET_KINDS)[number]["word"];

/** Takes `kind:llm.chat` apart. The name may have colons of its own. */
export function splitTarget(target: string): { word: TargetKind | undefined; name: string } {
  const colon = target.indexOf(":");
  const word = TARGET_KINDS.find((candidate) => candidate.word === target.slice(0, colon))?.word;
  return { word, name: target.slice(colon + 1) };
}

/** What a limit counts, for a person. */
export function targetWords(target: string): { what: string; name: string } {
  const { word, name } = splitTarget(target);
  switch (word) {
    case "kind":
      return { what: "Jobs of kind", name };
    case "user":
      return { what: "Jobs enqueued by", name };
    case "queue":
      return { what: "Jobs in queue", name };
    case "provider":
      return { what: "Jobs that ask provider", name };
    case "key":
      return { what: "Jobs with key", name };
    case undefined:
      return { what: "Jobs counted by", name: target };
  }
}

/** What a limit lets pass, for a person. */
export function limitWords({ concurrency, rate }: Pick<Limit, "concurrency" | "rate">): string {
  const parts: string[] = [];
  if (typeof concurrency === "number") {
    if (concurrency === 0) parts.push("none starts");
    else parts.push(concurrency === 1 ? "one at a time" : `at most ${concurrency.toLocaleString()} at once`);
  }
  if (rate) {
    const starts = rate.count === 1 ? "one start" : `${rate.count.toLocaleString()} starts`;
    parts.push(`at most ${starts} ${perPeriod(rate.per_ms)}`);
  }
  return parts.length === 0 ? "no bound" : parts.join(", ");
}
