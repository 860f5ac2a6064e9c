import { describe, expect, it } from "vitest";

import type { Schema } from "./shape";
import { Unparsed, validate } from "./validate";

function check(schema: Schema, value: unknown, expected: [field: string, message: string][]) {
  expect(validate(schema, value).map(({ field, message }) => [field, message])).toEqual(expected);
}

describe("validation", () => {
  it("names the field, also one that is missing", () => {
    const schema = { type: "object", required: ["path"], properties: { path: { type: "string", minLength: 1 }, size: { type: "integer", minimum: 16, maximum: 2048 } } };
    check(schema, {}, [["/path", "Is required."]]);
    check(schema, { path: "", size: 1 }, [
      ["/path", "Must not be empty."],
      ["/size", "Must be at least 16."],
    ]);
    check(schema, { path: "x", size: "many" }, [["/size", "Must be an integer."]]);
    check(schema, { path: "x", size: 4096 }, [["/size", "Must be at most 2048."]]);
    check(schema, { path: "x", size: 20 }, []);
  });

  it("reaches into lists and objects, with pointers escaped", () => {
    const schema = { type: "object", properties: { "a/b": { type: "array", items: { type: "object", required: ["n"], properties: { n: { type: "number" } } } } } };
    check(schema, { "a/b": [{ n: 1 }, {}, { n: "x" }] }, [
      ["/a~1b/1/n", "Is required."],
      ["/a~1b/2/n", "Must be a number."],
    ]);
  });

  it("complains about the variant that was meant", () => {
    const variant = (kind: string, field: string) => ({ type: "object", required: ["kind", field], properties: { kind: { const: kind }, [field]: { type: "string" } } });
    const schema = { oneOf: [variant("file", "path"), variant("web", "url")] };
    check(schema, { kind: "web" }, [["/url", "Is required."]]);
  });

  it("says which members exclude each other", () => {
    check({ not: { required: ["body", "json"] } }, { body: "", json: 1 }, [["", "Give only one of body and json."]]);
  });

  it("leaves a schema that can't be read to the node", () => {
    check({ $ref: "#/nowhere" }, {}, []);
  });

  it("says where JSON is still being typed", () => {
    check({}, { headers: new Unparsed("{", "end of input") }, [["/headers", "Not JSON: end of input"]]);
  });
});
