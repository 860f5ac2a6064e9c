import { type ReactNode, useId } from "react";

interface ChoiceProps<Value extends string> {
  /** The question; the accessible name of the group. */
  label: string;
  value: Value;
  onChange: (value: Value) => void;
  options: readonly { value: Value; title: string; detail?: ReactNode }[];
}

/** One of a few, each with what it means. */
export function Choice<Value extends string>({ label, value, onChange, options }: ChoiceProps<Value>) {
  const id = useId();
  return (
    <fieldset className="space-y-2">
      <legend className="mb-1.5 text-[13px] font-medium">{label}</legend>
      {options.map((option) => (
        <div key={option.value} className="flex items-start gap-2.5">
          <input
            type="radio"
            id={`${id}-${option.value}`}
            name={id}
            checked={value === option.value}
            onChange={() => onChange(option.value)}
            aria-describedby={option.detail === undefined ? undefined : `${id}-${option.value}-detail`}
            className="mt-0.5 size-4 shrink-0 accent-accent"
          />
          <div className="min-w-0 text-[13px]">
            <label htmlFor={`${id}-${option.value}`} className="block leading-5">
              {option.title}
            </label>
            {option.detail !== undefined && (
              <p id={`${id}-${option.value}-detail`} className="text-[12.5px] leading-snug text-ink-faint">
                {option.detail}
              </p>
            )}
          </div>
        </div>
      ))}
    </fieldset>
  );
}
