import type { EnqueueRequest } from "~/api/types";
import { isList, isRecord, number, text } from "~/json";

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
    unique_key: {
      type: "string",
      title: "Unique key",
      description: "While one of your jobs with this key waits or runs, a second one is refused.",
      minLength: 1,
      maxLength: 255,
    },
    concurrency_key: {
      type: "string",
      title: "Concurrency key",
      description: "Jobs with the same key run side by side only up to a number, such as those of one tenant.",
      minLength: 1,
      maxLength: 255,
    },
    concurrency_max: {
      type: "integer",
      title: "At once with this key",
      description: "How many with the concurrency key may run at once. Without a number: 1.",
      minimum: 1,
      maximum: 10_000,
      examples: [1],
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

/** Takes what was filled in over into the request; the schema has checked it. What was left empty is left out. */
export function withOptions(request: EnqueueRequest, options: Record<string, unknown>): EnqueueRequest {
  const { queue, priority, delay_ms, attempts_max, timeout_ms, tags, unique_key, concurrency_key, concurrency_max } = options;
  return {
    ...withoutOptions(request),
    ...defined("queue", text(queue)),
    ...defined("priority", number(priority)),
    ...defined("delay_ms", number(delay_ms)),
    ...defined("attempts_max", number(attempts_max)),
    ...defined("timeout_ms", number(timeout_ms)),
    ...defined("unique_key", text(unique_key)),
    ...defined("concurrency_key", text(concurrency_key)),
    ...defined("concurrency_max", number(concurrency_max)),
    ...defined("tags", isList(tags) ? tags.map(String) : undefined),
  };
}

/** The options of a job that is there, for a form that changes it. */
export function optionsOf(request: EnqueueRequest): Record<string, unknown> {
  const known = Object.entries(request).filter(([name, value]) => isOption(name) && value !== null);
  return Object.fromEntries(known.filter(([, value]) => !isList(value) || value.length > 0));
}

function withoutOptions(request: EnqueueRequest): EnqueueRequest {
  const rest = Object.fromEntries(Object.entries(request).filter(([name]) => !isOption(name)));
  return { ...rest, kind: request.kind };
}

function isOption(name: string): boolean {
  return isRecord(OPTIONS_SCHEMA["properties"]) && name in OPTIONS_SCHEMA["properties"];
}

function defined(name: string, value: string | number | string[] | undefined) {
  return value === undefined ? {} : { [name]: value };
}

/** The options of a job that is enqueued by a schedule, which has times of its own. */
export const SCHEDULED_OPTIONS_SCHEMA: Schema = scheduled(OPTIONS_SCHEMA);

function scheduled(schema: Schema): Schema {
  if (!isRecord(schema["properties"])) return schema;
  const { delay_ms: _, ...properties } = schema["properties"];
  return { ...schema, properties };
}
