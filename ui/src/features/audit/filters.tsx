import { Link, useNavigate } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useId } from "react";

import { type AuditFilters, paths } from "~/paths";
import { buttonClass } from "~/ui/button";
import { Input, Select } from "~/ui/field";

import { narrows, OUTCOMES } from "./search";
import { outcomeLook } from "./words";

const TEXTS = [
  { name: "actor", label: "Who", placeholder: "Who: owner, m_…, eng_…" },
  { name: "action", label: "Action", placeholder: "Action: member, key.rotate…" },
  { name: "object", label: "Object", placeholder: "Object" },
  { name: "ip", label: "IP address", placeholder: "IP address" },
] as const;

const DAYS = [
  { name: "from", label: "From day" },
  { name: "to", label: "To day" },
] as const;

/** Narrows the log. What is chosen is in the URL and nowhere else. */
export function Filters({ filters }: { filters: AuditFilters }) {
  const id = useId();
  const navigate = useNavigate();

  function narrow(change: AuditFilters) {
    void navigate({ to: paths.audit, search: { ...filters, ...change, cursor: undefined }, replace: true });
  }

  return (
    <div role="search" aria-label="Filter the log" className="flex flex-wrap items-end gap-2">
      <Select
        aria-label="Outcome"
        value={filters.outcome ?? ""}
        onChange={(event) => narrow({ outcome: OUTCOMES.find((outcome) => outcome === event.target.value) })}
        className="max-w-44 flex-1 basis-36"
      >
        <option value="">All outcomes</option>
        {OUTCOMES.map((outcome) => (
          <option key={outcome} value={outcome}>
            {outcomeLook(outcome).title}
          </option>
        ))}
      </Select>
      {TEXTS.map(({ name, label, placeholder }) => (
        <TextFilter
          key={`${name} ${filters[name]}`}
          label={label}
          placeholder={placeholder}
          value={filters[name]}
          onChange={(value) => narrow({ [name]: value })}
        />
      ))}
      {DAYS.map(({ name, label }) => (
        <div key={name} className="flex flex-1 basis-48 items-center gap-2 sm:max-w-52">
          <label htmlFor={`${id}-${name}`} className="text-xs whitespace-nowrap text-ink-faint">
            {label}
          </label>
          <Input
            id={`${id}-${name}`}
            type="date"
            value={filters[name] ?? ""}
            onChange={(event) => narrow({ [name]: event.target.value || undefined })}
          />
        </div>
      ))}
      {narrows(filters) && (
        <Link to={paths.audit} className={buttonClass("quiet")}>
          <X aria-hidden className="size-3.5" />
          Clear filters
        </Link>
      )}
    </div>
  );
}

interface TextFilterProps {
  label: string;
  placeholder: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

/** Takes effect when it is left or on Enter, so that not every letter is a request. */
function TextFilter({ label, placeholder, value, onChange }: TextFilterProps) {
  const commit = (text: string) => {
    const next = text.trim() || undefined;
    if (next !== value) onChange(next);
  };
  return (
    <Input
      aria-label={label}
      placeholder={placeholder}
      defaultValue={value ?? ""}
      onBlur={(event) => commit(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") commit(event.currentTarget.value);
      }}
      className="max-w-56 flex-1 basis-40"
    />
  );
}
