import { type ComponentProps, useState } from "react";

import { Input } from "~/ui/field";

interface NumberInputProps extends Omit<ComponentProps<"input">, "value" | "onChange"> {
  integer: boolean;
  value: unknown;
  /** A number, nothing, or the text itself while it is no number yet. */
  onValue: (value: number | string | undefined) => void;
}

/** Takes a number as text, because `type=number` eats what it does not understand and changes on the mouse wheel. */
export function NumberInput({ integer, value, onValue, ...rest }: NumberInputProps) {
  const [typed, setTyped] = useState("");
  const shown = read(typed) === value ? typed : typeof value === "number" || typeof value === "string" ? String(value) : "";
  return (
    <Input
      {...rest}
      inputMode={integer ? "numeric" : "decimal"}
      value={shown}
      onChange={(event) => {
        setTyped(event.target.value);
        onValue(read(event.target.value));
      }}
      className="numeric max-w-60"
    />
  );
}

function read(typed: string): number | string | undefined {
  const trimmed = typed.trim();
  if (trimmed === "") return undefined;
  const value = Number(trimmed);
  return Number.isFinite(value) ? value : typed;
}
