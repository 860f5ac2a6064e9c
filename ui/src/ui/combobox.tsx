import clsx from "clsx";
import { ChevronDown } from "lucide-react";
import { type KeyboardEvent, useId, useRef, useState } from "react";

import { controlClass, describedBy, Field } from "./field";

export interface Option {
  value: string;
  title: string;
  detail: string;
}

interface ComboboxProps {
  label: string;
  value: string | undefined;
  options: readonly Option[];
  onChange: (value: string) => void;
  placeholder: string;
  hint?: string;
  errors?: readonly string[];
}

/** Chooses one of many by typing a part of it (the ARIA pattern of an editable combobox with a list). */
export function Combobox({ label, value, options, onChange, placeholder, hint, errors = [] }: ComboboxProps) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [search, setSearch] = useState<string>();
  const [active, setActive] = useState(0);
  const open = search !== undefined;
  const found = options.filter((option) => matches(option, search ?? ""));
  // There may be hundreds, such as of time zones: none is drawn before somebody looks.
  const shownOptions = open ? found : [];
  const shown = Math.min(active, Math.max(0, found.length - 1));

  function choose(option: Option | undefined) {
    if (option === undefined) return;
    onChange(option.value);
    setSearch(undefined);
  }

  function move(to: number) {
    setSearch((before) => before ?? "");
    setActive(Math.max(0, Math.min(to, found.length - 1)));
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.key === "ArrowDown") move(open ? shown + 1 : 0);
    else if (event.key === "ArrowUp") move(open ? shown - 1 : 0);
    else if (event.key === "Home" && open) move(0);
    else if (event.key === "End" && open) move(found.length - 1);
    else if (event.key === "Enter" && open) choose(found[shown]);
    else if (event.key === "Escape" && open) setSearch(undefined);
    else return;
    event.preventDefault();
  }

  return (
    <Field id={id} label={label} hint={hint} errors={errors}>
      <div className="relative">
        <input
          ref={input}
          id={id}
          role="combobox"
          aria-expanded={open}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={open && found.length > 0 ? `${id}-${shown}` : undefined}
          aria-invalid={errors.length > 0 || undefined}
          aria-describedby={describedBy(id, { hint: hint !== undefined, errors: errors.length > 0 })}
          autoComplete="off"
          spellCheck={false}
          placeholder={placeholder}
          value={search ?? value ?? ""}
          onChange={(event) => {
            setSearch(event.target.value);
            setActive(0);
          }}
          onClick={() => setSearch((before) => before ?? "")}
          onKeyDown={onKeyDown}
          onBlur={() => {
            // A name that was typed in full is a choice.
            choose(options.find((option) => option.value === search?.trim()));
            setSearch(undefined);
          }}
          className={clsx(controlClass, "pr-9 font-mono")}
        />
        <ChevronDown aria-hidden className="pointer-events-none absolute top-1/2 right-3 size-4 -translate-y-1/2 text-ink-faint" />
        <div
          id={`${id}-list`}
          role="listbox"
          aria-label="Choices"
          hidden={!open}
          className="scroll-thin absolute z-20 mt-1.5 max-h-80 w-full overflow-y-auto rounded-xl border border-line-strong bg-panel p-1 shadow-raised"
        >
          {shownOptions.map((option, index) => (
            // The keyboard reaches the options through the input, which keeps the focus.
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events
            <div
              key={option.value}
              id={`${id}-${index}`}
              role="option"
              aria-selected={option.value === value}
              tabIndex={-1}
              ref={(element) => {
                if (open && index === shown) element?.scrollIntoView({ block: "nearest" });
              }}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => choose(option)}
              className={clsx("cursor-pointer rounded-lg px-3 py-2", index === shown && "bg-hover")}
            >
              <span className="font-mono text-[13px]">{option.value}</span>
              {option.title !== option.value && <span className="ml-2 text-ink-soft">{option.title}</span>}
              <span className="block text-[12.5px] leading-snug text-ink-faint">{option.detail}</span>
            </div>
          ))}
          {open && found.length === 0 && (
            <p className="px-3 py-2 text-ink-faint">
              Nothing matches “{search}”.
            </p>
          )}
        </div>
      </div>
    </Field>
  );
}

function matches(option: Option, search: string): boolean {
  const haystack = `${option.value} ${option.title} ${option.detail}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => haystack.includes(word));
}
