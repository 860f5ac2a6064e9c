import { isList, isRecord, number, sameJson, text } from "~/json";

/** A JSON Schema, or the part of one for one value. */
export type Schema = Record<string, unknown>;

export interface Property {
  name: string;
  schema: Schema;
  required: boolean;
}

export interface Variant {
  title: string;
  schema: Schema;
}

/** How a value is asked for: what a form can make of a schema. `json` is everything it can make nothing of. */
export type Shape =
  | { shape: "text"; multiline: boolean }
  | { shape: "number"; integer: boolean }
  | { shape: "boolean" }
  | { shape: "choice"; choices: { title: string; value: unknown }[] }
  | { shape: "constant"; value: unknown }
  | { shape: "object"; properties: Property[]; additional: Schema | undefined }
  | { shape: "list"; item: Schema; most: number | undefined }
  | { shape: "variants"; variants: Variant[] }
  | { shape: "json" };

/** References followed before a schema counts as one that refers to itself. */
const REFERENCES_MAX = 16;
/** A text that may be this long is asked for in more than one line. */
const MULTILINE_FROM_CHARS = 400;
const MULTILINE_FORMATS = ["multiline", "textarea", "markdown", "text"];
const MULTILINE_NAMES = /(^|_)(prompt|content|body|text|message|messages|script|source|system)$/i;

/** Follows local references and folds `allOf` in, so that what is left describes the value itself. */
export function resolve(schema: Schema, root: Schema, depth = 0): Schema {
  const reference = text(schema["$ref"]);
  let own: Schema = schema;
  if (reference !== undefined && depth < REFERENCES_MAX) {
    const { $ref: _, ...rest } = schema;
    own = { ...resolve(target(root, reference), root, depth + 1), ...rest };
  }
  const all = own["allOf"];
  if (!isList(all) || depth >= REFERENCES_MAX) return own;
  const { allOf: _, ...rest } = own;
  return all.filter(isRecord).reduce<Schema>((merged, part) => merge(merged, resolve(part, root, depth + 1)), rest);
}

function target(root: Schema, reference: string): Schema {
  if (!reference.startsWith("#")) return {};
  let at: unknown = root;
  for (const step of reference.slice(1).split("/").filter(Boolean)) {
    const name = decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
    at = isRecord(at) ? at[name] : undefined;
  }
  return isRecord(at) ? at : {};
}

function merge(left: Schema, right: Schema): Schema {
  const merged = { ...right, ...left };
  if (isRecord(left["properties"]) && isRecord(right["properties"])) {
    merged["properties"] = { ...right["properties"], ...left["properties"] };
  }
  if (isList(left["required"]) && isList(right["required"])) {
    merged["required"] = [...left["required"], ...right["required"]];
  }
  return merged;
}

/** Says how to ask for a value of this schema. `name` is what the value is called, where it is. */
export function shapeOf(unresolved: Schema, root: Schema, name = ""): Shape {
  const schema = resolve(unresolved, root);
  if ("const" in schema) return { shape: "constant", value: schema["const"] };
  if (isList(schema["enum"])) {
    return { shape: "choice", choices: schema["enum"].map((value) => ({ title: titleOfValue(value), value })) };
  }
  const several = schema["oneOf"] ?? schema["anyOf"];
  if (isList(several)) return severalShape(schema, several.filter(isRecord), root, name);
  switch (typeOf(schema)) {
    case "string":
      return { shape: "text", multiline: isMultiline(schema, name) };
    case "integer":
      return { shape: "number", integer: true };
    case "number":
      return { shape: "number", integer: false };
    case "boolean":
      return { shape: "boolean" };
    case "array":
      return { shape: "list", item: isRecord(schema["items"]) ? schema["items"] : {}, most: number(schema["maxItems"]) };
    case "object":
      return objectShape(schema);
    default:
      return { shape: "json" };
  }
}

function severalShape(schema: Schema, options: Schema[], root: Schema, name: string): Shape {
  const { oneOf: _one, anyOf: _any, ...base } = schema;
  const real = options.map((option) => resolve(option, root)).filter((option) => option["type"] !== "null");
  const [only] = real;
  // A value that may be null is one that may be left out.
  if (real.length === 1 && only !== undefined) return shapeOf({ ...only, ...base }, root, name);
  if (real.length > 0 && real.every((option) => "const" in option)) {
    const choices = real.map((option) => ({ title: text(option["title"]) ?? titleOfValue(option["const"]), value: option["const"] }));
    return { shape: "choice", choices };
  }
  const variants = real.map((option, index) => ({
    title: text(option["title"]) ?? variantTitle(option) ?? `Form ${index + 1}`,
    schema: merge(option, base),
  }));
  return variants.length === 0 ? { shape: "json" } : { shape: "variants", variants };
}

/** A variant without a title goes by the constant that tells it apart, or by its type. */
function variantTitle(schema: Schema): string | undefined {
  const properties = isRecord(schema["properties"]) ? Object.values(schema["properties"]) : [];
  const mark = properties.find((property) => isRecord(property) && "const" in property);
  return isRecord(mark) ? titleOfValue(mark["const"]) : text(schema["type"]);
}

function objectShape(schema: Schema): Shape {
  const properties = isRecord(schema["properties"]) ? schema["properties"] : {};
  const required = isList(schema["required"]) ? schema["required"] : [];
  const additional = schema["additionalProperties"];
  const known = Object.entries(properties).map(([name, property]) => ({
    name,
    schema: isRecord(property) ? property : {},
    required: required.includes(name),
  }));
  // The node gives members in alphabetical order; what has to be filled in should not stand in the middle of it.
  known.sort((one, other) => Number(other.required) - Number(one.required));
  // Unless the schema describes further members, a form offers none beside those it knows.
  const open = isRecord(additional) ? additional : undefined;
  if (known.length === 0 && open === undefined && additional !== false) return { shape: "json" };
  return { shape: "object", properties: known, additional: open };
}

function typeOf(schema: Schema): string | undefined {
  const type = schema["type"];
  if (isList(type)) {
    const real = type.filter((name) => name !== "null");
    return real.length === 1 ? text(real[0]) : undefined;
  }
  if (type === undefined && (isRecord(schema["properties"]) || isRecord(schema["additionalProperties"]))) return "object";
  return text(type);
}

function isMultiline(schema: Schema, name: string): boolean {
  if (schema["x-multiline"] === true || "contentMediaType" in schema) return true;
  const format = text(schema["format"]);
  if (format !== undefined) return MULTILINE_FORMATS.includes(format);
  return (number(schema["maxLength"]) ?? 0) >= MULTILINE_FROM_CHARS || MULTILINE_NAMES.test(name);
}

export function titleOfValue(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What a form starts with: constants, defaults, and what has to be there. */
export function initialValue(unresolved: Schema, root: Schema, required = true, depth = 0): unknown {
  const schema = resolve(unresolved, root);
  if ("default" in schema) return schema["default"];
  const shape = shapeOf(schema, root);
  switch (shape.shape) {
    case "constant":
      return shape.value;
    case "boolean":
      return required ? false : undefined;
    case "object": {
      if (depth > REFERENCES_MAX || !required) return undefined;
      const entries = shape.properties.map(
        (property) => [property.name, initialValue(property.schema, root, property.required, depth + 1)] as const,
      );
      return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
    }
    case "list":
      if (!required) return undefined;
      // One that must not be empty starts with an item, so that a person sees what it takes.
      return (number(schema["minItems"]) ?? 0) > 0 ? [initialValue(shape.item, root, true, depth + 1) ?? ""] : [];
    case "variants":
      return required && shape.variants[0] ? initialValue(shape.variants[0].schema, root, true, depth + 1) : undefined;
    case "text":
    case "number":
    case "choice":
    case "json":
      return undefined;
  }
}

/** Which of the variants a value is: by the constants in it, else the first that could be. */
export function variantOf(variants: readonly Variant[], value: unknown, root: Schema): number {
  if (value === undefined) return 0;
  const found = variants.findIndex(({ schema }) => couldBe(schema, value, root));
  return Math.max(0, found);
}

function couldBe(schema: Schema, value: unknown, root: Schema): boolean {
  const shape = shapeOf(schema, root);
  switch (shape.shape) {
    case "text":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "constant":
      return sameJson(shape.value, value);
    case "choice":
      return shape.choices.some((choice) => sameJson(choice.value, value));
    case "list":
      return isList(value);
    case "object":
      return (
        isRecord(value) &&
        shape.properties.every((property) => {
          const inner = shapeOf(property.schema, root);
          return inner.shape !== "constant" || sameJson(value[property.name], inner.value);
        })
      );
    case "variants":
    case "json":
      return true;
  }
}
