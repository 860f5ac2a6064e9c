import type { Kind, Queue } from "~/api/types";
import { isList, isRecord } from "~/json";

import type { TargetKind } from "./words";

interface Known {
  kinds: readonly Kind[];
  queues: readonly Queue[];
  subject: string | undefined;
}

/** Names that are known on this node; others can be typed. */
export function suggestions(word: TargetKind, { kinds, queues, subject }: Known): string[] {
  switch (word) {
    case "kind":
      return kinds.map(({ name }) => name);
    case "queue":
      return queues.map(({ name }) => name);
    case "user":
      return subject === undefined ? [] : [subject];
    case "provider":
      return [...new Set(kinds.flatMap(providersOf))];
    case "key":
      return [];
  }
}

/** Kinds that ask providers name the configured ones as examples in their schema. */
function providersOf({ payload_schema: schema }: Kind): string[] {
  const properties = schema["properties"];
  const provider = isRecord(properties) ? properties["provider"] : undefined;
  const examples = isRecord(provider) ? provider["examples"] : undefined;
  return isList(examples) ? examples.filter((example) => typeof example === "string") : [];
}
