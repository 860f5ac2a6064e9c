import { useId, useState } from "react";

import { describedBy, FieldNotes, Input, RequiredMark, Select } from "./field";
import { joinSpan, splitSpan, UNITS } from "./span";

interface SpanInputProps {
  label: string;
  /** In milliseconds; `undefined` while it is empty. */
  value: number | undefined;
  onChange: (ms: number | undefined) => void;
  hint?: string;
  errors?: readonly string[];
  required?: boolean;
}

/** A length of time as a number and its unit. */
export function SpanInput({ label, value, onChange, hint, errors = [], required = false }: SpanInputProps) {
  const id = useId();
  // The unit stays as it was chosen while the number is being typed.
  const [unit, setUnit] = useState(() => splitSpan(value).unit);
  const [count, setCount] = useState(() => splitSpan(value).count);

  return (
    <div className="space-y-1.5">
      <div className="text-[13px] font-medium">
        <label htmlFor={id}>{label}</label>
        {required && <RequiredMark />}
      </div>
      <div className="flex gap-2">
        <Input
          id={id}
          inputMode="decimal"
          value={count}
          aria-invalid={errors.length > 0 || undefined}
          aria-describedby={describedBy(id, { hint: hint !== undefined, errors: errors.length > 0 })}
          onChange={(event) => {
            setCount(event.target.value);
            onChange(joinSpan(event.target.value, unit));
          }}
          className="max-w-28"
        />
        <Select
          aria-label={`Unit of ${label.toLowerCase()}`}
          value={unit}
          onChange={(event) => {
            const chosen = UNITS.find(({ name }) => name === event.target.value)?.name ?? unit;
            setUnit(chosen);
            onChange(joinSpan(count, chosen));
          }}
          className="max-w-36"
        >
          {UNITS.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
      </div>
      <FieldNotes id={id} hint={hint} errors={errors} />
    </div>
  );
}
