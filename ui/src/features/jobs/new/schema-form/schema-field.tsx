import { isList, isRecord, number, sameJson, text } from "~/json";
import { describedBy, Field, FieldNotes, Input, RequiredMark, Select, TextArea } from "~/ui/field";

import { controlId, errorsAt, useFormScope } from "./errors";
import { JsonField } from "./json-field";
import { ListField } from "./list-field";
import { NumberInput } from "./number-input";
import { ObjectField } from "./object-field";
import { resolve, type Schema, shapeOf } from "./shape";
import { VariantsField } from "./variants-field";

export interface SchemaFieldProps {
  schema: Schema;
  /** Where the value is in the whole. */
  pointer: string;
  /** What it is called where it is; titles come before it. */
  name: string;
  required: boolean;
  value: unknown;
  onChange: (value: unknown, pointer: string) => void;
}

/** The control, or the group of controls, for one value of a schema. */
export function SchemaField(props: SchemaFieldProps) {
  const { root } = useFormScope();
  const shape = shapeOf(props.schema, root, props.name);
  switch (shape.shape) {
    case "object":
      return <ObjectField {...props} shape={shape} />;
    case "list":
      return <ListField {...props} shape={shape} />;
    case "variants":
      return <VariantsField {...props} shape={shape} />;
    case "json":
      return <JsonField {...props} />;
    case "boolean":
      return <BooleanField {...props} />;
    case "constant":
      return null;
    case "text":
    case "number":
    case "choice":
      return <ControlField {...props} shape={shape} />;
  }
}

/** The words of a field and the ids that tie them to its control. */
export function useFieldWords({ schema: unresolved, pointer, name }: SchemaFieldProps) {
  const { root, prefix, errors } = useFormScope();
  const schema = resolve(unresolved, root);
  const id = controlId(prefix, pointer);
  const hint = text(schema["description"]);
  const messages = errorsAt(errors, pointer);
  return {
    schema,
    id,
    label: text(schema["title"]) ?? name,
    hint,
    messages,
    aria: {
      id,
      "aria-invalid": messages.length > 0 || undefined,
      "aria-describedby": describedBy(id, { hint: hint !== undefined, errors: messages.length > 0 }),
    },
  };
}

type Control = Extract<ReturnType<typeof shapeOf>, { shape: "text" | "number" | "choice" }>;

function ControlField({ shape, ...props }: SchemaFieldProps & { shape: Control }) {
  const { id, label, hint, messages } = useFieldWords(props);
  return (
    <Field id={id} label={label} required={props.required} hint={hint} errors={messages}>
      <ControlFor shape={shape} {...props} />
    </Field>
  );
}

function ControlFor({ shape, ...props }: SchemaFieldProps & { shape: Control }) {
  const { value, onChange, pointer, required } = props;
  const { schema, aria } = useFieldWords(props);
  const control = { ...aria, "aria-required": required || undefined };
  switch (shape.shape) {
    case "text": {
      const known = typeof value === "string" ? value : "";
      const change = (typed: string) => onChange(typed === "" ? undefined : typed, pointer);
      const placeholder = exampleOf(schema);
      return shape.multiline ? (
        <TextArea {...control} rows={4} value={known} placeholder={placeholder} onChange={(event) => change(event.target.value)} />
      ) : (
        <Input
          {...control}
          type={inputType(schema)}
          value={known}
          placeholder={placeholder}
          onChange={(event) => change(event.target.value)}
        />
      );
    }
    case "number":
      return (
        <NumberInput
          {...control}
          integer={shape.integer}
          placeholder={exampleOf(schema)}
          title={rangeOf(schema)}
          value={value}
          onValue={(next) => onChange(next, pointer)}
        />
      );
    case "choice": {
      const chosen = shape.choices.findIndex((choice) => sameJson(choice.value, value));
      return (
        <Select
          {...control}
          value={String(chosen)}
          onChange={(event) => onChange(shape.choices[Number(event.target.value)]?.value, pointer)}
        >
          {(chosen < 0 || !required) && <option value="-1">{required ? "Choose…" : "–"}</option>}
          {shape.choices.map(({ title }, index) => (
            <option key={index} value={String(index)}>
              {title}
            </option>
          ))}
        </Select>
      );
    }
  }
}

function BooleanField(props: SchemaFieldProps) {
  const { id, label, hint, messages, aria } = useFieldWords(props);
  return (
    <div className="space-y-1.5">
      <div className="flex items-center gap-2.5">
        <input
          {...aria}
          type="checkbox"
          checked={props.value === true}
          onChange={(event) => props.onChange(event.target.checked, props.pointer)}
          className="size-4 accent-(--accent) pointer-coarse:size-5"
        />
        <label htmlFor={id} className="text-[13px] font-medium">
          {label}
        </label>
        {props.required && <RequiredMark />}
      </div>
      <FieldNotes id={id} hint={hint} errors={messages} />
    </div>
  );
}

function exampleOf(schema: Schema): string | undefined {
  const examples = schema["examples"];
  const example = isList(examples) ? examples[0] : schema["example"];
  return typeof example === "string" || typeof example === "number" ? String(example) : undefined;
}

function rangeOf(schema: Schema): string | undefined {
  const least = number(schema["minimum"]);
  const most = number(schema["maximum"]);
  if (least !== undefined && most !== undefined) return `From ${least} to ${most}`;
  if (least !== undefined) return `At least ${least}`;
  return most === undefined ? undefined : `At most ${most}`;
}

function inputType(schema: Schema): string {
  if (schema["writeOnly"] === true || schema["format"] === "password") return "password";
  return "text";
}

/** The members of a value that is an object, else none. */
export function membersOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}
