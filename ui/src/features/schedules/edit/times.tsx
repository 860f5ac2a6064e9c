import { useQuery } from "@tanstack/react-query";
import { useId, useMemo } from "react";

import type { FieldError } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { fieldErrorsOf } from "~/features/jobs/new/field-errors";
import { Choice } from "~/ui/choice";
import { Combobox } from "~/ui/combobox";
import { describedBy, Field, Input } from "~/ui/field";
import { SpanInput } from "~/ui/span-input";
import { Ago } from "~/ui/time";

import { scheduleQueries } from "../queries";
import { timeZones } from "../time-zones";
import { previewOf, type TimesDraft } from "./draft";

const EXAMPLES = [
  { cron: "*/15 * * * *", title: "Every 15 minutes" },
  { cron: "0 * * * *", title: "Every hour" },
  { cron: "30 2 * * *", title: "Every night at 2:30" },
  { cron: "0 9 * * MON-FRI", title: "Weekdays at 9" },
  { cron: "0 6 1 * *", title: "The first of each month" },
] as const;

const HOW = [
  { value: "cron", title: "At times of the clock", detail: "Such as every weekday at 9, in a time zone." },
  { value: "interval", title: "Every so often", detail: "The same time between any two runs, whatever the clock says." },
] as const;

interface TimesProps {
  times: TimesDraft;
  errors: readonly FieldError[];
  onChange: (change: Partial<TimesDraft>) => void;
}

/** When it runs, with the runs to come as the node reckons them. */
export function Times({ times, errors, onChange }: TimesProps) {
  const at = (field: string) => errors.filter((error) => error.field === field).map(({ message }) => message);
  return (
    <div className="space-y-4">
      <Choice label="When does it run?" value={times.how} onChange={(how) => onChange({ how })} options={HOW} />
      {times.how === "cron" ? (
        <CronFields times={times} cronErrors={at("/cron")} zoneErrors={at("/time_zone")} onChange={onChange} />
      ) : (
        <SpanInput
          label="Time between two runs"
          required
          value={times.intervalMs}
          onChange={(intervalMs) => onChange({ intervalMs })}
          hint="At least a second."
          errors={at("/interval_ms")}
        />
      )}
      <Preview times={times} />
    </div>
  );
}

interface CronFieldsProps {
  times: TimesDraft;
  cronErrors: readonly string[];
  zoneErrors: readonly string[];
  onChange: (change: Partial<TimesDraft>) => void;
}

function CronFields({ times, cronErrors, zoneErrors, onChange }: CronFieldsProps) {
  const id = useId();
  const zones = useMemo(() => timeZones(), []);
  return (
    <>
      <Field
        id={id}
        label="Cron expression"
        required
        hint="Minute, hour, day of the month, month, day of the week; or six fields with the second in front; or a word such as @daily."
        errors={cronErrors}
      >
        <Input
          id={id}
          value={times.cron}
          aria-invalid={cronErrors.length > 0 || undefined}
          aria-describedby={describedBy(id, { hint: true, errors: cronErrors.length > 0 })}
          onChange={(event) => onChange({ cron: event.target.value })}
          className="font-mono"
        />
      </Field>
      <ul aria-label="Examples" className="-mt-2 flex flex-wrap gap-1.5">
        {EXAMPLES.map(({ cron, title }) => (
          <li key={cron}>
            <button
              type="button"
              onClick={() => onChange({ cron })}
              className="rounded-full border border-line px-2.5 py-1 text-xs text-ink-soft hover:border-line-strong hover:text-ink pointer-coarse:py-2.5"
            >
              {title}
            </button>
          </li>
        ))}
      </ul>
      <Combobox
        label="Time zone"
        value={times.timeZone}
        options={zones}
        placeholder="Search, such as Berlin or UTC"
        onChange={(timeZone) => onChange({ timeZone })}
        errors={zoneErrors}
      />
    </>
  );
}

function Preview({ times }: { times: TimesDraft }) {
  const request = previewOf(times);
  return (
    <section aria-label="Next runs" aria-live="polite" className="rounded-lg border border-line bg-sunken p-3 text-[13px]">
      <h3 className="mb-1.5 text-xs font-medium text-ink-faint">Next runs</h3>
      {request === undefined ? (
        <p className="text-ink-faint">They appear here as soon as there are times.</p>
      ) : (
        <Runs request={request} />
      )}
    </section>
  );
}

function Runs({ request }: { request: NonNullable<ReturnType<typeof previewOf>> }) {
  const { data, error, isError } = useQuery(scheduleQueries.preview(request));
  if (isError) {
    const { title, hint } = complaint(error);
    const [first] = fieldErrorsOf(error);
    return (
      <p className="text-bad [overflow-wrap:anywhere]">
        <span className="inline-block first-letter:uppercase">{first?.message ?? title}</span> {hint}
      </p>
    );
  }
  if (data === undefined) return <p className="animate-breathe text-ink-faint">Asking the node…</p>;
  if (data.runs.length === 0) return <p className="text-warn">It never runs: no such time comes any more.</p>;
  return (
    <ol className="space-y-1">
      {data.runs.map(({ at, local }) => (
        <li key={at} className="numeric flex flex-wrap justify-between gap-x-4">
          <span>{local}</span>
          <span className="text-ink-faint">
            <Ago at={at} />
          </span>
        </li>
      ))}
    </ol>
  );
}
