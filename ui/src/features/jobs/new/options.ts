import type { EnqueueRequest } from "~/api/types";
import { isList, number, text } from "~/json";

import type { Schema } from "./schema-form/shape";

/** How a job is enqueued, whatever its kind. A form is made of it just as of a kind's own schema. */
export const OPTIONS_SCHEMA: Schema = {
  type: "object",
  properties: {
    queue: {
      type: "string",
      title: "Queue",
      description: "Which queue it waits in. Without one: default.",
      pattern: "^[a-zA-Z0-9_.-]{1,64}$",
      examples: ["default"],
    },
    priority: {
      type: "integer",
      title: "Priority",
      description: "Lower runs first. Without one: 100.",
      minimum: 0,
      maximum: 1000,
      examples: [100],
    },
    delay_ms: {
      type: "integer",
      title: "Delay (ms)",
      description: "Does not start before this long from now.",
      minimum: 0,
      maximum: 31_536_000_000,
    },
    attempts_max: {
      type: "integer",
      title: "Attempts",
      description: "Runs before it has failed for good. Without a number: 3.",
      minimum: 1,
      maximum: 100,
      examples: [3],
    },
    timeout_ms: {
      type: "integer",
      title: "Time limit (ms)",
      description: "The longest one attempt may take. Without a number: the kind's own.",
      minimum: 1,
      maximum: 86_400_000,
    },
    tags: {
      type: "array",
      title: "Tags",
      description: "For finding it again; at most 16.",
      maxItems: 16,
      items: { type: "string", title: "Tag", minLength: 1, maxLength: 64 },
    },
  },
};

/** Takes what was filled in over into the request; the schema has checked it. */
export function withOptions(request: EnqueueRequest, options: Record<string, unknown>): EnqueueRequest {
  const { queue, priority, delay_ms, attempts_max, timeout_ms, tags } = options;
  return {
    ...request,
    ...defined("queue", text(queue)),
    ...defined("priority", number(priority)),
    ...defined("delay_ms", number(delay_ms)),
    ...defined("attempts_max", number(attempts_max)),
    ...defined("timeout_ms", number(timeout_ms)),
    ...defined("tags", isList(tags) ? tags.map(String) : undefined),
  };
}

function defined(name: string, value: string | number | string[] | undefined) {
  return value === undefined ? {} : { [name]: value };
}
