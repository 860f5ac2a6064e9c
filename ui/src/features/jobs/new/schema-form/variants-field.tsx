import { useState } from "react";

import { isRecord } from "~/json";
import { Field, Select } from "~/ui/field";

import { useFormScope } from "./errors";
import { SchemaField, type SchemaFieldProps, useFieldWords } from "./schema-field";
import { initialValue, type Shape, variantOf } from "./shape";

/** A value that has one of several forms: first which one, then that form's fields. */
export function VariantsField({ shape, ...props }: SchemaFieldProps & { shape: Extract<Shape, { shape: "variants" }> }) {
  const { value, pointer, onChange } = props;
  const { root } = useFormScope();
  const { id, label, hint, messages } = useFieldWords(props);
  const [chosen, setChosen] = useState(() => variantOf(shape.variants, value, root));
  const variant = shape.variants[chosen];

  function choose(index: number) {
    setChosen(index);
    const next = shape.variants[index];
    if (next === undefined) return;
    const start = initialValue(next.schema, root);
    // What both forms call the same is kept, but for the constants that tell them apart.
    onChange(isRecord(start) && isRecord(value) ? { ...keepKnown(value, next.schema), ...start } : start, pointer);
  }

  return (
    <div className="space-y-4">
      <Field id={`${id}-form`} label={label} required={props.required} hint={hint} errors={messages}>
        <Select id={`${id}-form`} value={String(chosen)} onChange={(event) => choose(Number(event.target.value))}>
          {shape.variants.map(({ title }, index) => (
            <option key={index} value={String(index)}>
              {title}
            </option>
          ))}
        </Select>
      </Field>
      {variant !== undefined && (
        <SchemaField key={chosen} {...props} schema={{ ...variant.schema, title: variant.title, description: undefined }} />
      )}
    </div>
  );
}

function keepKnown(value: Record<string, unknown>, schema: Record<string, unknown>): Record<string, unknown> {
  const known = isRecord(schema["properties"]) ? schema["properties"] : {};
  return Object.fromEntries(Object.entries(value).filter(([name]) => name in known));
}
