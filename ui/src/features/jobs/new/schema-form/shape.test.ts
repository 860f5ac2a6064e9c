import { describe, expect, it } from "vitest";

import { initialValue, type Schema, shapeOf, variantOf } from "./shape";

function check(schema: Schema, expected: string, name = "") {
  expect(shapeOf(schema, schema, name).shape, JSON.stringify(schema)).toBe(expected);
}

describe("the shape of a schema", () => {
  it("is what a form can ask for", () => {
    check({ type: "string" }, "text");
    check({ type: ["integer", "null"] }, "number");
    check({ type: "boolean" }, "boolean");
    check({ enum: ["a", 1, null] }, "choice");
    check({ oneOf: [{ const: "a" }, { const: "b", title: "B" }] }, "choice");
    check({ const: 3 }, "constant");
    check({ type: "array", items: { type: "string" } }, "list");
    check({ type: "object", additionalProperties: { type: "string" } }, "object");
    check({ properties: { a: {} } }, "object");
    check({ anyOf: [{ type: "string" }, { type: "null" }] }, "text");
    check({ oneOf: [{ type: "string" }, { type: "array", items: {} }] }, "variants");
    check({ $ref: "#/$defs/x", $defs: { x: { type: "number" } } }, "number");
    check({ allOf: [{ type: "object", properties: { a: {} } }] }, "object");
    for (const anything of [{}, { type: "object" }, { type: ["string", "number"] }, { $ref: "#/nowhere" }]) check(anything, "json");
  });

  it("gives long text more than one line", () => {
    const multiline = (schema: Schema, name: string) => {
      const shape = shapeOf(schema, schema, name);
      return shape.shape === "text" && shape.multiline;
    };
    expect(multiline({ type: "string" }, "path")).toBe(false);
    expect(multiline({ type: "string" }, "system_prompt")).toBe(true);
    expect(multiline({ type: "string", maxLength: 5_000 }, "note")).toBe(true);
    expect(multiline({ type: "string", format: "uri" }, "message")).toBe(false);
  });

  it("ends for a schema that refers to itself", () => {
    const schema = { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } } };
    check(schema, "json");
    const tree = { $ref: "#/$defs/t", $defs: { t: { type: "object", required: ["t"], properties: { t: { $ref: "#/$defs/t" } } } } };
    expect(() => initialValue(tree, tree)).not.toThrow();
  });
});

describe("what a form starts with", () => {
  it("is defaults and constants, and nothing that was not asked for", () => {
    const schema = {
      type: "object",
      required: ["kind", "on"],
      properties: {
        kind: { const: "x" },
        on: { type: "boolean" },
        off: { type: "boolean" },
        size: { type: "integer", default: 5 },
        inner: { type: "object", properties: { a: { default: 1 } } },
        path: { type: "string", examples: ["/tmp"] },
      },
    };
    expect(initialValue(schema, schema)).toEqual({ kind: "x", on: false, size: 5 });
  });
});

describe("the variant of a value", () => {
  it("is the one whose constants it has", () => {
    const variants = ["a", "b"].map((kind) => ({ title: kind, schema: { type: "object", properties: { kind: { const: kind } } } }));
    expect(variantOf(variants, { kind: "b" }, {})).toBe(1);
    expect(variantOf(variants, { kind: "?" }, {})).toBe(0);
  });
});
