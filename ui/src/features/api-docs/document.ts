import { isList, isRecord, text } from "~/json";

/** What the page shows of an OpenAPI document. */
export interface ApiDocument {
  title: string;
  version: string;
  description: string | undefined;
  groups: { name: string; description: string | undefined; operations: Operation[] }[];
  schemas: Record<string, unknown>;
}

export interface Operation {
  id: string;
  method: string;
  path: string;
  summary: string;
  description: string | undefined;
  parameters: { name: string; place: string; required: boolean; type: string; description: string | undefined }[];
  body: unknown;
  responses: { status: string; description: string; schema: unknown }[];
}

const METHODS = ["get", "post", "put", "patch", "delete"] as const;
const OTHER = "other";

/** Reads a document, leaving out what it does not understand. */
export function readDocument(source: unknown): ApiDocument | undefined {
  if (!isRecord(source) || !isRecord(source["paths"])) return undefined;
  const about = isRecord(source["info"]) ? source["info"] : {};
  const components = isRecord(source["components"]) ? source["components"] : {};
  const groups = new Map<string, Operation[]>();
  for (const [path, item] of Object.entries(source["paths"])) {
    if (!isRecord(item)) continue;
    for (const method of METHODS) {
      const operation = item[method];
      if (!isRecord(operation)) continue;
      const tag = isList(operation["tags"]) ? text(operation["tags"][0]) : undefined;
      const name = tag ?? OTHER;
      groups.set(name, [...(groups.get(name) ?? []), readOperation(path, method, operation)]);
    }
  }
  const tags = (isList(source["tags"]) ? source["tags"] : []).filter(isRecord);
  return {
    title: text(about["title"]) ?? "API",
    version: text(about["version"]) ?? "",
    description: text(about["description"]),
    groups: [...groups].map(([name, operations]) => ({
      name,
      description: text(tags.find((tag) => tag["name"] === name)?.["description"]),
      operations,
    })),
    schemas: isRecord(components["schemas"]) ? components["schemas"] : {},
  };
}

function readOperation(path: string, method: string, operation: Record<string, unknown>): Operation {
  const parameters = isList(operation["parameters"]) ? operation["parameters"] : [];
  const responses = isRecord(operation["responses"]) ? operation["responses"] : {};
  const description = text(operation["description"]);
  return {
    id: `${method}${path.replaceAll(/[^\w]+/g, "-")}`,
    method,
    path,
    summary: text(operation["summary"]) ?? description ?? path,
    description,
    parameters: parameters.filter(isRecord).map((parameter) => ({
      name: text(parameter["name"]) ?? "",
      place: text(parameter["in"]) ?? "",
      required: parameter["required"] === true,
      type: typeWords(parameter["schema"]),
      description: text(parameter["description"]),
    })),
    body: contentSchema(operation["requestBody"]),
    responses: Object.entries(responses).map(([status, response]) => ({
      status,
      description: (isRecord(response) ? text(response["description"]) : undefined) ?? "",
      schema: contentSchema(response),
    })),
  };
}

function contentSchema(holder: unknown): unknown {
  if (!isRecord(holder) || !isRecord(holder["content"])) return undefined;
  const [first] = Object.values(holder["content"]);
  return isRecord(first) ? first["schema"] : undefined;
}

/** The name of the schema that a reference leads to. */
export function referenceName(schema: unknown): string | undefined {
  return isRecord(schema) ? text(schema["$ref"])?.split("/").at(-1) : undefined;
}

/** A schema's type in a few words: `string`, `JobState`, `list of Engine`, `integer or null`. */
export function typeWords(schema: unknown): string {
  if (!isRecord(schema)) return "anything";
  const reference = referenceName(schema);
  if (reference !== undefined) return reference;
  const several = schema["oneOf"] ?? schema["anyOf"];
  if (isList(several)) return [...new Set(several.map(typeWords))].join(" or ");
  if (isList(schema["allOf"])) return schema["allOf"].map(typeWords).join(" with ");
  if (isList(schema["enum"])) return schema["enum"].map((value) => JSON.stringify(value)).join(" | ");
  const types = isList(schema["type"]) ? schema["type"].map(String) : [text(schema["type"]) ?? "anything"];
  return types.map((type) => (type === "array" ? `list of ${typeWords(schema["items"])}` : type)).join(" or ");
}

/** The members of an object schema, those of the schemas it is put together from included. */
export function membersOf(schema: unknown, schemas: Record<string, unknown>, depth = 0): Member[] {
  if (!isRecord(schema) || depth > 4) return [];
  const reference = referenceName(schema);
  if (reference !== undefined) return membersOf(schemas[reference], schemas, depth + 1);
  const inherited = isList(schema["allOf"]) ? schema["allOf"].flatMap((part) => membersOf(part, schemas, depth + 1)) : [];
  const properties = isRecord(schema["properties"]) ? schema["properties"] : {};
  const required = isList(schema["required"]) ? schema["required"] : [];
  const own = Object.entries(properties).map(([name, property]) => ({
    name,
    type: typeWords(property),
    required: required.includes(name),
    description: isRecord(property) ? text(property["description"]) : undefined,
  }));
  return [...inherited, ...own];
}

export interface Member {
  name: string;
  type: string;
  required: boolean;
  description: string | undefined;
}
