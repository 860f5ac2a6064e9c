import { type OutputUnit, Validator } from "@cfworker/json-schema";

import type { FieldError } from "~/api/types";
import { isList, isRecord, number } from "~/json";

import type { Schema } from "./shape";

/** JSON that a person is still typing, kept so that no letter is lost. */
export class Unparsed {
  constructor(
    readonly source: string,
    readonly reason: string,
  ) {}
}

/** Units that only say that something below them is wrong. */
const WRAPPERS = new Set([
  "properties",
  "patternProperties",
  "additionalProperties",
  "items",
  "prefixItems",
  "allOf",
  "$ref",
  "$defs",
  "if",
  "then",
  "else",
  "dependentSchemas",
]);

/** Everything that is wrong with a value, by JSON pointer; the empty pointer is the value itself. */
export function validate(schema: Schema, value: unknown): FieldError[] {
  const unfinished = [...findUnfinished(value, "")];
  if (unfinished.length > 0) return unfinished;
  let units: OutputUnit[];
  try {
    units = new Validator(schema, "2020-12", false).validate(value).errors;
  } catch {
    // A schema that this validator can't read is left to the node, which checks in any case.
    return [];
  }
  return distinct(relevant(units).map((unit) => toFieldError(unit, schema)));
}

function* findUnfinished(value: unknown, pointer: string): Generator<FieldError> {
  if (value instanceof Unparsed) yield { field: pointer, message: `Not JSON: ${value.reason}` };
  else if (isList(value)) for (const [index, item] of value.entries()) yield* findUnfinished(item, `${pointer}/${index}`);
  else if (isRecord(value)) {
    for (const [name, item] of Object.entries(value)) {
      if (name === "") yield { field: `${pointer}/`, message: "Needs a name." };
      yield* findUnfinished(item, `${pointer}/${escapeStep(name)}`);
    }
  }
}

/** Of the variants of a `oneOf` or `anyOf` only the one that is nearly met says what is wrong. */
function relevant(units: OutputUnit[]): OutputUnit[] {
  let kept = units;
  for (const unit of units) {
    if (unit.keyword !== "oneOf" && unit.keyword !== "anyOf") continue;
    const inside = kept.filter((other) => other !== unit && other.keywordLocation.startsWith(`${unit.keywordLocation}/`));
    const variants = byVariant(inside, unit.keywordLocation.length + 1);
    const [nearest] = [...variants.values()].sort((one, other) => score(one) - score(other));
    kept = kept.filter((other) => other !== unit && (!inside.includes(other) || nearest?.includes(other) === true));
    if (nearest === undefined || nearest.every((other) => WRAPPERS.has(other.keyword))) kept = [...kept, unit];
  }
  return kept.filter((unit) => !WRAPPERS.has(unit.keyword) || unit.keyword === "additionalProperties" || isFalseSchema(unit));
}

function byVariant(units: readonly OutputUnit[], prefixChars: number): Map<string, OutputUnit[]> {
  const variants = new Map<string, OutputUnit[]>();
  for (const unit of units) {
    const index = unit.keywordLocation.slice(prefixChars).split("/")[0] ?? "";
    variants.set(index, [...(variants.get(index) ?? []), unit]);
  }
  return variants;
}

function isFalseSchema(unit: OutputUnit): boolean {
  return unit.error === "False boolean schema.";
}

function score(units: OutputUnit[]): number {
  // A wrong constant or type means that it is another variant altogether.
  return units.reduce((sum, { keyword }) => sum + (keyword === "const" || keyword === "type" ? 100 : 1), 0);
}

function toFieldError(unit: OutputUnit, root: Schema): FieldError {
  const pointer = unit.instanceLocation.replace(/^#/, "");
  const limit = number(valueAt(unit, root)) ?? number(Number(/([\d.eE+-]+)[^\d]*$/.exec(unit.error)?.[1]));
  switch (unit.keyword) {
    case "required": {
      const name = /"(.*)"/.exec(unit.error)?.[1] ?? "";
      return { field: `${pointer}/${escapeStep(name)}`, message: "Is required." };
    }
    case "type":
      return { field: pointer, message: `Must be ${article(/Expected "(.*)"/.exec(unit.error)?.[1] ?? "of another type")}.` };
    case "minimum":
      return { field: pointer, message: `Must be at least ${limit}.` };
    case "maximum":
      return { field: pointer, message: `Must be at most ${limit}.` };
    case "minLength":
      return { field: pointer, message: limit === 1 ? "Must not be empty." : `Must have at least ${limit} characters.` };
    case "maxLength":
      return { field: pointer, message: `Must have at most ${limit} characters.` };
    case "minItems":
      return { field: pointer, message: `Must have at least ${limit} ${limit === 1 ? "item" : "items"}.` };
    case "maxItems":
      return { field: pointer, message: `Must have at most ${limit} items.` };
    case "pattern":
    case "format":
      return { field: pointer, message: "Does not have the right form." };
    case "enum":
    case "const":
      return { field: pointer, message: "Is not one of the values there are." };
    case "oneOf":
    case "anyOf":
      return { field: pointer, message: "Fits none of the forms it may have." };
    case "not":
      return { field: pointer, message: exclusionWords(valueAt(unit, root)) };
    case "additionalProperties":
      return { field: pointer, message: unit.error.replace("does not match additional properties schema", "is not known") };
    default:
      return { field: pointer, message: unit.error };
  }
}

/** What the schema says at a unit's keyword, such as the figure of a limit. */
function valueAt(unit: OutputUnit, root: Schema): unknown {
  let at: unknown = root;
  for (const step of unit.keywordLocation.replace(/^#\//, "").split("/")) {
    at = isRecord(at) || isList(at) ? Reflect.get(at, decodeURIComponent(unescapeStep(step))) : undefined;
  }
  return at;
}

/** The usual use of `not` is to let only one of some members be given. */
function exclusionWords(excluded: unknown): string {
  const names = isRecord(excluded) && isList(excluded["required"]) ? excluded["required"].map(String) : [];
  return names.length > 1 ? `Give only one of ${names.join(" and ")}.` : "Is something that the kind excludes.";
}

function article(type: string): string {
  const [first = ""] = type;
  return "aeiou".includes(first) ? `an ${type}` : `a ${type}`;
}

function distinct(errors: FieldError[]): FieldError[] {
  return [...new Map(errors.map((error) => [`${error.field} ${error.message}`, error])).values()];
}

/** One step of a JSON pointer (RFC 6901, section 3). */
export function escapeStep(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

function unescapeStep(step: string): string {
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}
