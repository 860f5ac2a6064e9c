import { type SubmitEvent, useId, useRef, useState } from "react";

import type { FieldError, Kind, Schedule } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { fieldErrorsOf, under, within } from "~/features/jobs/new/field-errors";
import { SCHEDULED_OPTIONS_SCHEMA } from "~/features/jobs/new/options";
import { PayloadFields } from "~/features/jobs/new/payload-fields";
import { FormScopeContext } from "~/features/jobs/new/schema-form/errors";
import { SchemaField } from "~/features/jobs/new/schema-form/schema-field";
import { initialValue } from "~/features/jobs/new/schema-form/shape";
import { validate } from "~/features/jobs/new/schema-form/validate";
import { isRecord } from "~/json";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Choice } from "~/ui/choice";
import { describedBy, Field, Input } from "~/ui/field";
import { Section } from "~/ui/page";

import { MISSED, OVERLAP } from "../words";
import { draftOf, type ScheduleDraft } from "./draft";
import { Times } from "./times";

interface ScheduleFormProps {
  kind: Kind;
  /** The schedule to change; a new one without it. */
  schedule: Schedule | undefined;
  /** What a link fills in. */
  payload: Record<string, unknown> | undefined;
  busy: boolean;
  error: unknown;
  onSend: (draft: ScheduleDraft) => void;
}

/** When to enqueue which job. */
export function ScheduleForm({ kind, schedule, payload, busy, error, onSend }: ScheduleFormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState(() => draftOf(schedule, firstPayload(kind, payload)));
  // What this page found, until the next change; what the node found comes with `error`.
  const [found, setFound] = useState<FieldError[]>([]);
  const errors = found.length > 0 ? found : fieldErrorsOf(error);
  const own = within("/job", errors);

  function change(next: Partial<ScheduleDraft>) {
    setDraft({ ...draft, ...next });
    setFound([]);
  }

  function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    const wrong = check(kind, draft);
    setFound(wrong);
    if (wrong.length === 0) onSend(draft);
    else requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  }

  return (
    <form ref={form} noValidate onSubmit={onSubmit} aria-label="Schedule" className="space-y-4">
      <Section title="When" className="overflow-visible">
        <div className="space-y-4">
          <NameField
            value={draft.name}
            errors={errors.filter(({ field }) => field === "/name").map(({ message }) => message)}
            onChange={(name) => change({ name })}
          />
          <Times
            times={draft.times}
            errors={errors}
            onChange={(times) => change({ times: { ...draft.times, ...times } })}
          />
        </div>
      </Section>
      <Section title="Payload">
        <PayloadFields
          schema={kind.payload_schema}
          value={draft.payload}
          errors={own.filter(({ field }) => field.startsWith("/payload"))}
          onChange={(next) => change({ payload: next })}
        />
      </Section>
      <Section title="When it does not go smoothly">
        <div className="space-y-5">
          <Choice
            label="Runs that were due while the node was down, asleep or drained"
            value={draft.missed}
            onChange={(missed) => change({ missed })}
            options={MISSED}
          />
          <Choice
            label="A run that is due while the job of the one before has not ended"
            value={draft.overlap}
            onChange={(overlap) => change({ overlap })}
            options={OVERLAP}
          />
        </div>
      </Section>
      <JobOptions draft={draft} errors={own} onChange={(options) => change({ options })} />
      {error !== null && error !== undefined && <ErrorCallout problem={complaint(error)} />}
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" tone="primary" busy={busy} className="px-4">
          {schedule === undefined ? "Create schedule" : "Save schedule"}
        </Button>
        {errors.length > 0 && <Wrong errors={errors} />}
      </div>
    </form>
  );
}

function NameField({ value, errors, onChange }: { value: string; errors: readonly string[]; onChange: (value: string) => void }) {
  const id = useId();
  return (
    <Field id={id} label="Name" required errors={errors}>
      <Input
        id={id}
        value={value}
        maxLength={100}
        placeholder="such as: Nightly report"
        aria-invalid={errors.length > 0 || undefined}
        aria-describedby={describedBy(id, { hint: false, errors: errors.length > 0 })}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  );
}

interface JobOptionsProps {
  draft: ScheduleDraft;
  errors: readonly FieldError[];
  onChange: (options: Record<string, unknown>) => void;
}

function JobOptions({ draft, errors, onChange }: JobOptionsProps) {
  const own = errors.filter(({ field }) => !field.startsWith("/payload"));
  return (
    <details
      // What is wrong in it must not stay folded away.
      key={own.length > 0 ? "wrong" : "right"}
      open={own.length > 0 || Object.keys(draft.options).length > 0}
      className="rounded-xl border border-line bg-panel"
    >
      <summary className="rounded-xl px-4 py-3 text-[13px] font-semibold">Advanced options of its jobs</summary>
      <div className="border-t border-line p-4">
        <FormScopeContext value={{ root: SCHEDULED_OPTIONS_SCHEMA, prefix: "option", errors: own }}>
          <SchemaField
            schema={SCHEDULED_OPTIONS_SCHEMA}
            pointer=""
            name="Options"
            required
            value={draft.options}
            onChange={(options) => onChange(isRecord(options) ? options : {})}
          />
        </FormScopeContext>
      </div>
    </details>
  );
}

/** All that is wrong, in one place: also what belongs to no field that is shown. */
function Wrong({ errors }: { errors: readonly FieldError[] }) {
  return (
    <ul role="alert" className="ml-4 w-full list-disc text-[13px] text-bad">
      {errors.map(({ field, message }) => (
        <li key={`${field} ${message}`}>
          <code className="font-mono text-xs">{field.replace(/^\/(job\/)?/, "")}</code> {message}
        </li>
      ))}
    </ul>
  );
}

/** What is wrong as far as this page can tell; times are the node's to judge. */
function check(kind: Kind, draft: ScheduleDraft): FieldError[] {
  const { how, cron, intervalMs } = draft.times;
  const required = { message: "Is required." };
  return [
    ...(draft.name.trim() === "" ? [{ field: "/name", ...required }] : []),
    ...(how === "cron" && cron.trim() === "" ? [{ field: "/cron", ...required }] : []),
    ...(how === "interval" && intervalMs === undefined ? [{ field: "/interval_ms", message: "Must be a length of time." }] : []),
    ...under("/job/payload", validate(kind.payload_schema, draft.payload)),
    ...under("/job", validate(SCHEDULED_OPTIONS_SCHEMA, draft.options)),
  ];
}

function firstPayload(kind: Kind, prefilled: Record<string, unknown> | undefined): unknown {
  const start = initialValue(kind.payload_schema, kind.payload_schema);
  return prefilled === undefined ? start : { ...(isRecord(start) ? start : {}), ...prefilled };
}
