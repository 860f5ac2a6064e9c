import type { ReactNode } from "react";

import { isList, isRecord, number, text } from "~/json";
import { DataTable } from "~/ui/data-table";
import { formatBytes, formatDuration } from "~/ui/duration";
import { Facts } from "~/ui/facts";

interface ColumnProfile {
  name: string;
  type: string;
  count: number | undefined;
  missing: number | undefined;
  distinct: number | undefined;
  distinctIsExact: boolean;
  min: string | undefined;
  max: string | undefined;
  mean: number | undefined;
  std: number | undefined;
  quantiles: Record<string, unknown>;
  topValues: { value: string; count: number }[];
}

export interface Profile {
  path: string | undefined;
  rows: number | undefined;
  bytes: number | undefined;
  encoding: string | undefined;
  delimiter: string | undefined;
  raggedRows: number;
  elapsedMs: number | undefined;
  columns: ColumnProfile[];
  sample: string[][];
}

const QUANTILES = ["p05", "p25", "p50", "p75", "p95"] as const;
const FIGURE = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });
const COUNT = new Intl.NumberFormat();

/** Reads the result of `csv-profile`; `undefined` where it is something else. */
export function readCsvProfile(result: Record<string, unknown>): Profile | undefined {
  const { columns, ragged_rows: ragged, sample_rows: sample } = result;
  if (!isList(columns) || columns.length === 0 || number(result["rows"]) === undefined) return undefined;
  const profiles = columns.map(readColumn);
  if (profiles.includes(undefined)) return undefined;
  return {
    path: text(result["path"]),
    rows: number(result["rows"]),
    bytes: number(result["bytes"]),
    encoding: text(result["encoding"]),
    delimiter: text(result["delimiter"]),
    raggedRows: (isRecord(ragged) ? number(ragged["count"]) : number(ragged)) ?? 0,
    elapsedMs: number(result["elapsed_ms"]),
    columns: profiles.filter((profile) => profile !== undefined),
    sample: isList(sample) ? sample.filter(isList).map((row) => row.map(String)) : [],
  };
}

function readColumn(column: unknown): ColumnProfile | undefined {
  if (!isRecord(column)) return undefined;
  const name = text(column["name"]);
  const type = text(column["type"]);
  if (name === undefined || type === undefined) return undefined;
  const top = column["top_values"];
  return {
    name,
    type,
    count: number(column["count"]),
    missing: number(column["missing"]),
    distinct: number(column["distinct"]),
    distinctIsExact: column["distinct_exact"] !== false,
    min: extreme(column["min"]),
    max: extreme(column["max"]),
    mean: number(column["mean"]),
    std: number(column["std"]),
    quantiles: isRecord(column["quantiles"]) ? column["quantiles"] : {},
    topValues: (isList(top) ? top : []).flatMap((item) => {
      const value = isRecord(item) ? text(item["value"]) : undefined;
      const count = isRecord(item) ? number(item["count"]) : undefined;
      return value === undefined || count === undefined ? [] : [{ value, count }];
    }),
  };
}

function extreme(value: unknown): string | undefined {
  return typeof value === "number" ? FIGURE.format(value) : text(value);
}

function figure(value: unknown): ReactNode {
  const known = number(value);
  return known === undefined ? <span className="text-ink-faint">–</span> : FIGURE.format(known);
}

/** What is in a CSV file: its columns with their figures, and its first rows. */
export function CsvProfile({ profile }: { profile: Profile }) {
  const facts: (readonly [string, ReactNode] | undefined)[] = [
    profile.path === undefined ? undefined : ["File", <code className="font-mono text-xs">{profile.path}</code>],
    ["Rows", COUNT.format(profile.rows ?? 0)],
    ["Columns", COUNT.format(profile.columns.length)],
    profile.bytes === undefined ? undefined : ["Size", formatBytes(profile.bytes)],
    profile.delimiter === undefined ? undefined : ["Delimiter", profile.delimiter],
    profile.encoding === undefined ? undefined : ["Encoding", profile.encoding],
    profile.raggedRows === 0 ? undefined : ["Rows of other width", COUNT.format(profile.raggedRows)],
    profile.elapsedMs === undefined ? undefined : ["Read in", formatDuration(profile.elapsedMs)],
  ];
  return (
    <div className="space-y-5">
      <div className="max-w-xl">
        <Facts items={facts.filter((fact) => fact !== undefined)} />
      </div>
      <div className="overflow-hidden rounded-lg border border-line">
        <DataTable
          caption="Columns"
          rows={profile.columns}
          rowKey={(column, index) => `${index} ${column.name}`}
          columns={[
            { title: "Name", cell: (column) => <span className="font-medium whitespace-nowrap">{column.name}</span> },
            { title: "Type", cell: (column) => <code className="font-mono text-xs">{column.type}</code> },
            { title: "Missing", numeric: true, cell: missing },
            { title: "Distinct", numeric: true, cell: distinct },
            { title: "Min", numeric: true, cell: ({ min }) => <Short value={min} /> },
            { title: "Max", numeric: true, cell: ({ max }) => <Short value={max} /> },
            { title: "Mean", numeric: true, cell: ({ mean }) => figure(mean) },
            { title: "Std. dev.", numeric: true, cell: ({ std }) => figure(std) },
            ...QUANTILES.map((name) => ({
              title: name,
              numeric: true,
              cell: ({ quantiles }: ColumnProfile) => figure(quantiles[name]),
            })),
            { title: "Most frequent", cell: frequent },
          ]}
        />
      </div>
      {profile.sample.length > 0 && (
        <div className="space-y-2">
          <h3 className="text-[13px] font-semibold">First rows</h3>
          <div className="overflow-hidden rounded-lg border border-line">
            <DataTable
              caption="First rows"
              rows={profile.sample}
              rowKey={(_, index) => String(index)}
              columns={profile.columns.map((column, index) => ({
                title: column.name,
                cell: (row: string[]) => <Short value={row[index]} />,
              }))}
            />
          </div>
        </div>
      )}
    </div>
  );
}

function missing({ missing: none = 0, count = 0 }: ColumnProfile): ReactNode {
  if (none === 0) return <span className="text-ink-faint">0</span>;
  const share = (100 * none) / (none + count);
  return (
    <>
      {COUNT.format(none)} <span className="text-ink-faint">({share < 1 ? "< 1" : Math.round(share)} %)</span>
    </>
  );
}

function distinct({ distinct: known, distinctIsExact }: ColumnProfile): ReactNode {
  if (known === undefined) return figure(known);
  return `${distinctIsExact ? "" : "≥ "}${COUNT.format(known)}`;
}

function frequent({ topValues }: ColumnProfile): ReactNode {
  return (
    <span className="whitespace-nowrap text-ink-soft">
      {topValues.slice(0, 3).map(({ value, count }, index) => (
        <span key={value}>
          {index > 0 && ", "}
          {value.length > 24 ? `${value.slice(0, 24)}…` : value}{" "}
          <span className="numeric text-ink-faint">×{COUNT.format(count)}</span>
        </span>
      ))}
    </span>
  );
}

function Short({ value }: { value: string | undefined }) {
  if (value === undefined) return <span className="text-ink-faint">–</span>;
  return (
    <span title={value} className="inline-block max-w-48 truncate align-bottom whitespace-nowrap">
      {value}
    </span>
  );
}
