import { useState } from "react";

import type { FieldError } from "~/api/types";
import { describedBy, Field } from "~/ui/field";
import { TabPanel, Tabs } from "~/ui/tabs";

import { within } from "./field-errors";
import { errorsWithin, FormScopeContext } from "./schema-form/errors";
import { JsonText } from "./schema-form/json-field";
import { SchemaField } from "./schema-form/schema-field";
import { type Schema, shapeOf } from "./schema-form/shape";
import { Unparsed } from "./schema-form/validate";

type Mode = "form" | "json";

const MODES = [
  { name: "form", title: "Form" },
  { name: "json", title: "JSON" },
] as const satisfies readonly { name: Mode; title: string }[];

interface PayloadFieldsProps {
  schema: Schema;
  value: unknown;
  /** With pointers into the request, such as `/payload/path`. */
  errors: readonly FieldError[];
  onChange: (value: unknown, pointer: string) => void;
}

/** The payload, field by field or as JSON; both show the same value. */
export function PayloadFields({ schema, value, errors, onChange }: PayloadFieldsProps) {
  const formless = shapeOf(schema, schema).shape === "json";
  const [mode, setMode] = useState<Mode>(formless ? "json" : "form");
  const own = within("/payload", errors);
  const json = <JsonPayload value={value} errors={own} onChange={onChange} />;
  if (formless) return json;
  return (
    <Tabs
      label="How to fill in the payload"
      value={mode}
      // Half-written JSON has no fields to be shown in.
      onChange={(next) => setMode(value instanceof Unparsed ? "json" : next)}
      tabs={MODES}
    >
      <TabPanel value="form" tabIndex={-1}>
        <FormScopeContext value={{ root: schema, prefix: "payload", errors: own }}>
          <SchemaField schema={schema} pointer="" name="Payload" required value={value} onChange={onChange} />
        </FormScopeContext>
      </TabPanel>
      <TabPanel value="json" tabIndex={-1}>
        {json}
      </TabPanel>
    </Tabs>
  );
}

function JsonPayload({ value, errors, onChange }: Omit<PayloadFieldsProps, "schema">) {
  const id = "payload-json";
  const broken = value instanceof Unparsed ? [`Not JSON yet: ${value.reason}`] : [];
  const messages = [...broken, ...errorsWithin(errors, "").filter((message) => !message.startsWith("Not JSON"))];
  return (
    <Field id={id} label="Payload (JSON)" hint="Checked against the kind's schema when you enqueue it." errors={messages}>
      <JsonText
        id={id}
        rows={12}
        value={value}
        onValue={(next) => onChange(next, "")}
        aria-invalid={messages.length > 0 || undefined}
        aria-describedby={describedBy(id, { hint: true, errors: messages.length > 0 })}
      />
    </Field>
  );
}
