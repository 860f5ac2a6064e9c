import { useState } from "react";

import { parseJson, sameJson } from "~/json";
import { describedBy, Field, TextArea } from "~/ui/field";

import { errorsWithin, useFormScope } from "./errors";
import { type SchemaFieldProps, useFieldWords } from "./schema-field";
import { Unparsed } from "./validate";

/** A value of any shape, written as JSON. */
export function JsonField(props: SchemaFieldProps) {
  const { errors } = useFormScope();
  const { id, label, hint = "Any JSON value.", aria } = useFieldWords(props);
  const messages = errorsWithin(errors, props.pointer);
  return (
    <Field id={id} label={label} required={props.required} hint={hint} errors={messages}>
      <JsonText
        {...aria}
        aria-invalid={messages.length > 0 || undefined}
        aria-describedby={describedBy(id, { hint: true, errors: messages.length > 0 })}
        rows={4}
        value={props.value}
        onValue={(value) => props.onChange(value, props.pointer)}
      />
    </Field>
  );
}

interface JsonTextProps {
  id: string;
  rows: number;
  value: unknown;
  onValue: (value: unknown) => void;
  "aria-invalid"?: true | undefined;
  "aria-describedby"?: string | undefined;
}

/** Text that is JSON, or becomes it: what can't be read yet is kept as [`Unparsed`]. */
export function JsonText({ value, onValue, ...rest }: JsonTextProps) {
  const [typed, setTyped] = useState("");
  const mine = sameValue(readJson(typed), value);
  const shown = mine ? typed : value instanceof Unparsed ? value.source : value === undefined ? "" : JSON.stringify(value, undefined, 2);
  return (
    <TextArea
      {...rest}
      value={shown}
      onChange={(event) => {
        setTyped(event.target.value);
        onValue(readJson(event.target.value));
      }}
      className="font-mono text-[12.5px]"
    />
  );
}

/** Reads what was typed; nothing typed is no value. */
export function readJson(typed: string): unknown {
  if (typed.trim() === "") return undefined;
  const read = parseJson(typed);
  return read.ok ? read.value : new Unparsed(typed, read.reason);
}

function sameValue(left: unknown, right: unknown): boolean {
  if (left instanceof Unparsed && right instanceof Unparsed) return left.source === right.source;
  return sameJson(left, right);
}
