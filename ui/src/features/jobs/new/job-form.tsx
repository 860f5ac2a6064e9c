import { useNavigate } from "@tanstack/react-router";
import { type SubmitEvent, useRef, useState } from "react";

import { ApiError } from "~/api/error";
import type { EnqueueRequest, FieldError, Kind } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { isRecord } from "~/json";
import { newId } from "~/new-id";
import { paths } from "~/paths";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Section } from "~/ui/page";

import { useEnqueue } from "../actions";
import { fieldErrorsOf, under } from "./field-errors";
import { OPTIONS_SCHEMA, withOptions } from "./options";
import { PayloadFields } from "./payload-fields";
import { FormScopeContext, withoutErrorsAt } from "./schema-form/errors";
import { SchemaField } from "./schema-form/schema-field";
import { initialValue } from "./schema-form/shape";
import { validate } from "./schema-form/validate";

/** What was filled in for each kind and not enqueued yet, so that a look at another kind or page loses nothing. */
const drafts = new Map<string, { payload: unknown; options: Record<string, unknown> }>();

interface JobFormProps {
  kind: Kind;
  /** What a link fills in; it comes before what was left unfinished. */
  payload: EnqueueRequest["payload"];
}

/** The form for one job of one kind. */
export function JobForm({ kind, payload: prefilled }: JobFormProps) {
  const navigate = useNavigate();
  const enqueue = useEnqueue();
  const form = useRef<HTMLFormElement>(null);
  // The second press of a double click comes before React has drawn the button as busy.
  const sending = useRef(false);
  const [draft, setDraft] = useState(() => firstDraft(kind, prefilled));
  const [errors, setErrors] = useState<FieldError[]>([]);
  const [key, setKey] = useState(newId);

  function change(next: Partial<typeof draft>, pointer: string) {
    const changed = { ...draft, ...next };
    drafts.set(kind.name, changed);
    setDraft(changed);
    setErrors(withoutErrorsAt(errors, pointer));
  }

  function refuse(found: FieldError[]) {
    setErrors(found);
    // After React has put them on the page: to the first field that is wrong.
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  }

  function send(idempotencyKey: string) {
    const found = [
      ...under("/payload", validate(kind.payload_schema, draft.payload)),
      ...validate(OPTIONS_SCHEMA, draft.options),
    ];
    if (found.length > 0) {
      refuse(found);
      return;
    }
    sending.current = true;
    const payload = isPayload(draft.payload) ? { payload: draft.payload } : {};
    enqueue.mutate(
      { request: withOptions({ kind: kind.name, ...payload }, draft.options), idempotencyKey },
      {
        onSuccess: (job) => {
          drafts.delete(kind.name);
          void navigate({ to: paths.job, params: { jobId: job.id } });
        },
        onError: (error) => refuse(fieldErrorsOf(error)),
        onSettled: () => {
          sending.current = false;
        },
      },
    );
  }

  function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    if (!sending.current) send(key);
  }

  const optionErrors = errors.filter(({ field }) => !field.startsWith("/payload"));
  return (
    <form ref={form} onSubmit={onSubmit} noValidate aria-label={`New ${kind.name} job`} className="space-y-4">
      <Section title="Payload">
        <PayloadFields
          schema={kind.payload_schema}
          value={draft.payload}
          errors={errors.filter(({ field }) => field.startsWith("/payload"))}
          onChange={(payload, pointer) => change({ payload }, `/payload${pointer}`)}
        />
      </Section>
      <details
        // What is wrong in it must not stay folded away.
        key={optionErrors.length > 0 ? "wrong" : "right"}
        open={optionErrors.length > 0 || Object.keys(draft.options).length > 0}
        className="rounded-xl border border-line bg-panel"
      >
        <summary className="rounded-xl px-4 py-3 text-[13px] font-semibold">Advanced options</summary>
        <div className="border-t border-line p-4">
          <FormScopeContext value={{ root: OPTIONS_SCHEMA, prefix: "option", errors: optionErrors }}>
            <SchemaField
              schema={OPTIONS_SCHEMA}
              pointer=""
              name="Options"
              required
              value={draft.options}
              onChange={(options, pointer) => change({ options: isRecord(options) ? options : {} }, pointer)}
            />
          </FormScopeContext>
        </div>
      </details>
      <Outcome
        error={enqueue.error}
        unplaced={errors.length > 0}
        onSendAnew={() => {
          const fresh = newId();
          setKey(fresh);
          send(fresh);
        }}
      />
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" tone="primary" busy={enqueue.isPending} className="px-4">
          {enqueue.isPending && enqueue.failureCount > 0 ? "Trying again…" : "Enqueue job"}
        </Button>
        {errors.length > 0 && <Summary errors={errors} />}
      </div>
    </form>
  );
}

/** All that is wrong, in one place: also what belongs to no field that is shown. */
function Summary({ errors }: { errors: readonly FieldError[] }) {
  return (
    <div role="alert" className="w-full text-[13px] text-bad">
      <p>{errors.length === 1 ? "One thing needs another look:" : `${errors.length} things need another look:`}</p>
      <ul className="ml-4 list-disc">
        {errors.map(({ field, message }) => (
          <li key={`${field} ${message}`}>
            <code className="font-mono text-xs">{field.replace(/^\/payload\/?/, "") || "payload"}</code> {message}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Outcome({ error, unplaced, onSendAnew }: { error: unknown; unplaced: boolean; onSendAnew: () => void }) {
  if (error === null || error === undefined) return null;
  if (error instanceof ApiError && error.code === "IDEMPOTENCY_KEY_REUSED") {
    return (
      <ErrorCallout
        problem={{
          title: "An earlier try of this form did arrive",
          hint: "The node took it as it was then; it is in the list of jobs. What you have changed since can become a job of its own.",
          reference: error.requestId,
        }}
      >
        <Button onClick={onSendAnew}>Enqueue as another job</Button>
      </ErrorCallout>
    );
  }
  // What the fields say themselves need not be said twice.
  if (unplaced && fieldErrorsOf(error).length > 0) return null;
  return <ErrorCallout problem={complaint(error)} />;
}

function firstDraft(kind: Kind, prefilled: EnqueueRequest["payload"]) {
  const start = initialValue(kind.payload_schema, kind.payload_schema);
  const kept = drafts.get(kind.name);
  if (prefilled === undefined) return kept ?? { payload: start, options: {} };
  return { payload: isRecord(start) ? { ...start, ...prefilled } : prefilled, options: kept?.options ?? {} };
}

/** The document says that a payload is an object; a kind's schema may say otherwise, and the node decides. */
function isPayload(value: unknown): value is NonNullable<EnqueueRequest["payload"]> {
  return value !== undefined;
}
