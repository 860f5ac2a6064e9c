import { ChevronRight } from "lucide-react";

import { isList, isRecord } from "~/json";

import { CopyButton } from "./copy-button";

/** Members of one object or list that are shown; the copy button gives all of them. */
const SHOWN_MAX = 200;
/** Levels that are open at first. */
const OPEN_LEVELS = 2;

/** A JSON value as a tree that opens and closes. */
export function JsonView({ value, what }: { value: unknown; what: string }) {
  return (
    <div className="relative">
      <div className="absolute top-0 right-0">
        <CopyButton value={JSON.stringify(value, undefined, 2)} what={what} />
      </div>
      <div className="scroll-thin overflow-x-auto pr-9 font-mono text-[12.5px] leading-6">
        <Node name={undefined} value={value} level={0} />
      </div>
    </div>
  );
}

function Node({ name, value, level }: { name: string | undefined; value: unknown; level: number }) {
  const entries = isList(value)
    ? value.map((item, index) => [String(index), item] as const)
    : isRecord(value)
      ? Object.entries(value)
      : undefined;
  if (entries === undefined || entries.length === 0) {
    return (
      <div className="pl-4">
        <Name name={name} />
        <Leaf value={value} />
      </div>
    );
  }
  const size = isList(value) ? `[${entries.length}]` : `{${entries.length}}`;
  return (
    <details open={level < OPEN_LEVELS} className="group/node">
      <summary className="flex cursor-pointer list-none items-center rounded hover:bg-hover [&::-webkit-details-marker]:hidden">
        <ChevronRight
          aria-hidden
          className="mr-1 size-3 shrink-0 text-ink-faint transition-transform [details[open]>summary>&]:rotate-90"
        />
        <Name name={name} />
        <span className="text-ink-faint">{size}</span>
      </summary>
      <div className="ml-1.5 border-l border-line pl-2">
        {entries.slice(0, SHOWN_MAX).map(([key, item]) => (
          <Node key={key} name={key} value={item} level={level + 1} />
        ))}
        {entries.length > SHOWN_MAX && (
          <p className="pl-4 text-ink-faint">… {entries.length - SHOWN_MAX} more; the copy button gives all of them</p>
        )}
      </div>
    </details>
  );
}

function Name({ name }: { name: string | undefined }) {
  if (name === undefined) return null;
  return <span className="mr-2 text-ink-soft">{name}:</span>;
}

function Leaf({ value }: { value: unknown }) {
  switch (typeof value) {
    case "string":
      return <span className="whitespace-pre-wrap text-good [overflow-wrap:anywhere]">{JSON.stringify(value)}</span>;
    case "number":
      return <span className="text-run">{String(value)}</span>;
    case "boolean":
      return <span className="text-later">{String(value)}</span>;
    default:
      return <span className="text-ink-faint">{isList(value) ? "[]" : isRecord(value) ? "{}" : "null"}</span>;
  }
}
