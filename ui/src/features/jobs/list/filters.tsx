import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useId } from "react";

import { JOB_STATES } from "~/api/types";
import { kindQueries } from "~/features/kinds/queries";
import { type JobFilters, paths } from "~/paths";
import { buttonClass } from "~/ui/button";
import { Input, Select } from "~/ui/field";

import { stateLook } from "../state-badge";

export function hasFilters({ state, kind, queue, tag }: JobFilters): boolean {
  return [state, kind, queue, tag].some((filter) => filter !== undefined);
}

/** Narrows the list. What is chosen is in the URL and nowhere else. */
export function Filters({ filters }: { filters: JobFilters }) {
  const navigate = useNavigate();
  const kinds = useQuery(kindQueries.list);
  const names = kinds.data?.items.map(({ name }) => name) ?? [];
  // A kind that is gone can still have jobs.
  const offered = filters.kind === undefined || names.includes(filters.kind) ? names : [filters.kind, ...names];

  function narrow(change: JobFilters) {
    void navigate({ to: paths.jobs, search: { ...filters, ...change, cursor: undefined }, replace: true });
  }

  return (
    <div role="search" aria-label="Filter jobs" className="space-y-2.5">
      <ul aria-label="State" className="scroll-thin -mx-1 flex gap-1 overflow-x-auto px-1 py-1">
        <li>
          <StateLink filters={filters} state={undefined} title="All" />
        </li>
        {JOB_STATES.map((state) => (
          <li key={state}>
            <StateLink filters={filters} state={state} title={stateLook(state).title} />
          </li>
        ))}
      </ul>
      <div className="flex flex-wrap items-end gap-2">
        <Select
          aria-label="Kind"
          value={filters.kind ?? ""}
          onChange={(event) => narrow({ kind: event.target.value || undefined })}
          className="max-w-60 flex-1 basis-44"
        >
          <option value="">All kinds</option>
          {offered.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
        <TextFilter key={`queue ${filters.queue}`} label="Queue" value={filters.queue} onChange={(queue) => narrow({ queue })} />
        <TextFilter key={`tag ${filters.tag}`} label="Tag" value={filters.tag} onChange={(tag) => narrow({ tag })} />
        {hasFilters(filters) && (
          <Link to={paths.jobs} className={buttonClass("quiet")}>
            <X aria-hidden className="size-3.5" />
            Clear filters
          </Link>
        )}
      </div>
    </div>
  );
}

function StateLink({ filters, state, title }: { filters: JobFilters; state: JobFilters["state"]; title: string }) {
  return (
    <Link
      to={paths.jobs}
      search={{ ...filters, state, cursor: undefined }}
      // Without these the router takes every one of them for the current page.
      activeOptions={{ exact: true, includeSearch: true }}
      className="inline-flex min-h-8 items-center rounded-full border border-transparent px-3 text-[13px] whitespace-nowrap text-ink-soft hover:bg-hover hover:text-ink aria-[current=page]:border-line-strong aria-[current=page]:bg-panel aria-[current=page]:font-medium aria-[current=page]:text-ink pointer-coarse:min-h-11"
    >
      {title}
    </Link>
  );
}

interface TextFilterProps {
  label: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

/** Takes effect when it is left or on Enter, so that not every letter is a request. */
function TextFilter({ label, value, onChange }: TextFilterProps) {
  const id = useId();
  const commit = (text: string) => {
    const next = text.trim() || undefined;
    if (next !== value) onChange(next);
  };
  return (
    <Input
      id={id}
      aria-label={label}
      placeholder={label}
      defaultValue={value ?? ""}
      onBlur={(event) => commit(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") commit(event.currentTarget.value);
      }}
      className="max-w-44 flex-1 basis-28"
    />
  );
}
