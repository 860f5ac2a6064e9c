import { useId, useState } from "react";

import { ApiError } from "~/api/error";
import type { FieldError } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { fieldErrorsOf } from "~/features/jobs/new/field-errors";
import { newId } from "~/new-id";
import { SYNC_MODES, type SyncState, TIMEOUT_ACTIONS } from "~/sync/state";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { describedBy, Field, Input, Select } from "~/ui/field";
import { Section } from "~/ui/page";
import { SpanInput } from "~/ui/span-input";

import { useCreateSync } from "../actions";
import { MODES, TIMEOUTS } from "../words";
import { type Draft, fieldsOf, readDraft } from "./draft";
import { ParticipantRows } from "./participants";

/** The longest title: the bound of the metadata leaves room for names then. */
const TITLE_CHARS_MAX = 120;

interface SyncFormProps {
  initial: () => Draft;
  onMade: (state: SyncState) => void;
}

/** All settings of a session that is to be made. */
export function SyncForm({ initial, onMade }: SyncFormProps) {
  const id = useId();
  const create = useCreateSync();
  const [draft, setDraft] = useState(initial);
  const [sessionId, setSessionId] = useState(newId);
  const [errors, setErrors] = useState<FieldError[]>([]);
  const errorsAt = (field: string) => errors.filter((error) => error.field === field).map(({ message }) => message);
  const shown = fieldsOf(draft.mode);

  function change(next: Partial<Draft>) {
    setDraft((before) => ({ ...before, ...next }));
    setErrors([]);
  }

  function send() {
    const read = readDraft(draft, sessionId);
    if (!read.ok) {
      setErrors(read.errors);
      return;
    }
    create.mutate(read.request, {
      onSuccess: onMade,
      onError: (error) => {
        setErrors(fieldErrorsOf(error));
        // The id is somebody else's, or an answer to the same request was lost; the next one gets an id of its own.
        if (error instanceof ApiError && error.code === "SESSION_EXISTS") setSessionId(newId());
      },
    });
  }

  return (
    <form
      aria-label="New live session"
      noValidate
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Section title="Settings">
        <div className="space-y-4">
          <Field
            id={`${id}-title`}
            label="Title"
            hint="What everybody sees above the clock."
            errors={errorsAt("/metadata")}
          >
            <Input
              id={`${id}-title`}
              value={draft.title}
              maxLength={TITLE_CHARS_MAX}
              aria-invalid={errorsAt("/metadata").length > 0 || undefined}
              aria-describedby={describedBy(`${id}-title`, { hint: true, errors: errorsAt("/metadata").length > 0 })}
              onChange={(event) => change({ title: event.target.value })}
            />
          </Field>
          <Field id={`${id}-mode`} label="What runs" hint={MODES[draft.mode].detail} errors={errorsAt("/sync_mode")}>
            <Select
              id={`${id}-mode`}
              value={draft.mode}
              aria-describedby={describedBy(`${id}-mode`, { hint: true, errors: errorsAt("/sync_mode").length > 0 })}
              onChange={(event) => change({ mode: SYNC_MODES.find((mode) => mode === event.target.value) ?? draft.mode })}
            >
              {SYNC_MODES.map((mode) => (
                <option key={mode} value={mode}>
                  {MODES[mode].title}
                </option>
              ))}
            </Select>
          </Field>
          {shown.total && (
            <SpanInput label="Time for all" required value={draft.totalMs} onChange={(totalMs) => change({ totalMs })} errors={errorsAt("/total_time_ms")} />
          )}
          {shown.perCycle && (
            <SpanInput label="Time for each turn" required value={draft.perCycleMs} onChange={(perCycleMs) => change({ perCycleMs })} errors={errorsAt("/time_per_cycle_ms")} />
          )}
          {shown.increment && (
            <SpanInput
              label="More after each turn"
              value={draft.incrementMs}
              onChange={(incrementMs) => change({ incrementMs })}
              hint="Added to the time of whoever is switched out. Empty: nothing."
              errors={errorsAt("/increment_ms")}
            />
          )}
          {shown.max && (
            <SpanInput label="Stop at" value={draft.maxMs} onChange={(maxMs) => change({ maxMs })} hint="Empty: it never stops by itself." errors={errorsAt("/max_time_ms")} />
          )}
          <Field id={`${id}-timeout`} label="When time has run out" hint={TIMEOUTS[draft.onTimeout].detail} errors={errorsAt("/action_on_timeout")}>
            <Select
              id={`${id}-timeout`}
              value={draft.onTimeout}
              aria-describedby={describedBy(`${id}-timeout`, { hint: true, errors: errorsAt("/action_on_timeout").length > 0 })}
              onChange={(event) =>
                change({ onTimeout: TIMEOUT_ACTIONS.find((action) => action === event.target.value) ?? draft.onTimeout })
              }
            >
              {TIMEOUT_ACTIONS.map((action) => (
                <option key={action} value={action}>
                  {TIMEOUTS[action].title}
                </option>
              ))}
            </Select>
          </Field>
        </div>
      </Section>
      <ParticipantRows
        participants={draft.participants}
        mode={draft.mode}
        errors={errors}
        onChange={(participants) => change({ participants })}
      />
      {create.isError && (
        <ErrorCallout problem={complaint(create.error)}>
          {fieldErrorsOf(create.error).length > 0 && (
            <ul>
              {fieldErrorsOf(create.error).map(({ field, message }) => (
                <li key={field + message}>
                  <code className="font-mono">{field}</code> {message}
                </li>
              ))}
            </ul>
          )}
        </ErrorCallout>
      )}
      <div className="flex justify-end">
        <Button type="submit" tone="primary" busy={create.isPending}>
          Create session
        </Button>
      </div>
    </form>
  );
}
