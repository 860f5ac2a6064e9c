import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";

import type { FieldError, Limit } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { useSession } from "~/features/app/session";
import { fieldErrorsOf } from "~/features/jobs/new/field-errors";
import { kindQueries } from "~/features/kinds/queries";
import { queueQueries } from "~/features/queues/queries";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { describedBy, Field, Input, Select } from "~/ui/field";
import { SpanInput } from "~/ui/span-input";

import { useSetLimit } from "./actions";
import { draftOf, readDraft } from "./request";
import { suggestions } from "./suggestions";
import { TARGET_KINDS, type TargetKind } from "./words";

interface LimitFormProps {
  /** The limit to change; a new one without it. */
  limit: Limit | undefined;
  onDone: () => void;
}

/** Sets one limit. */
export function LimitForm({ limit, onDone }: LimitFormProps) {
  const id = useId();
  const set = useSetLimit();
  const [draft, setDraft] = useState(() => draftOf(limit));
  const [errors, setErrors] = useState<FieldError[]>([]);
  const names = useSuggestions(draft.word);
  const errorsAt = (field: string) => errors.filter((error) => error.field === field).map(({ message }) => message);

  function change(next: Partial<typeof draft>) {
    setDraft({ ...draft, ...next });
    setErrors([]);
  }

  function send() {
    const read = readDraft(draft);
    if (!read.ok) {
      setErrors(read.errors);
      return;
    }
    set.mutate(read, { onSuccess: onDone, onError: (error) => setErrors(fieldErrorsOf(error)) });
  }

  return (
    <form
      aria-label={limit === undefined ? "New limit" : "Change the limit"}
      noValidate
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div className="grid gap-4 sm:grid-cols-[11rem_1fr]">
        <Field id={`${id}-word`} label="What it counts">
          <Select
            id={`${id}-word`}
            value={draft.word}
            disabled={limit !== undefined}
            onChange={(event) => {
              const word = TARGET_KINDS.find((kind) => kind.word === event.target.value)?.word;
              if (word !== undefined) change({ word, name: "" });
            }}
          >
            {TARGET_KINDS.map(({ word, title }) => (
              <option key={word} value={word}>
                {title}
              </option>
            ))}
          </Select>
        </Field>
        <Field
          id={`${id}-name`}
          label="Name"
          required
          hint={TARGET_KINDS.find(({ word }) => word === draft.word)?.what}
          errors={errorsAt("/target")}
        >
          <Input
            id={`${id}-name`}
            list={`${id}-names`}
            value={draft.name}
            disabled={limit !== undefined}
            aria-invalid={errorsAt("/target").length > 0 || undefined}
            aria-describedby={describedBy(`${id}-name`, { hint: true, errors: errorsAt("/target").length > 0 })}
            onChange={(event) => change({ name: event.target.value })}
          />
          <datalist id={`${id}-names`}>
            {names.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </Field>
      </div>
      <Field
        id={`${id}-concurrency`}
        label="At once"
        hint="How many may run at the same time. Empty: no bound. 0 holds all of them back."
        errors={errorsAt("/concurrency")}
      >
        <Input
          id={`${id}-concurrency`}
          inputMode="numeric"
          value={draft.concurrency}
          aria-invalid={errorsAt("/concurrency").length > 0 || undefined}
          aria-describedby={describedBy(`${id}-concurrency`, { hint: true, errors: errorsAt("/concurrency").length > 0 })}
          onChange={(event) => change({ concurrency: event.target.value })}
          className="max-w-28"
        />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field
          id={`${id}-starts`}
          label="Starts"
          hint="How many may start in each period; as many may come at once after a rest. Empty: no bound."
          errors={errorsAt("/rate/count")}
        >
          <Input
            id={`${id}-starts`}
            inputMode="numeric"
            value={draft.starts}
            aria-invalid={errorsAt("/rate/count").length > 0 || undefined}
            aria-describedby={describedBy(`${id}-starts`, { hint: true, errors: errorsAt("/rate/count").length > 0 })}
            onChange={(event) => change({ starts: event.target.value })}
            className="max-w-28"
          />
        </Field>
        <SpanInput label="Period" value={draft.perMs} onChange={(perMs) => change({ perMs })} errors={errorsAt("/rate/per_ms")} />
      </div>
      {set.isError && fieldErrorsOf(set.error).length === 0 && <ErrorCallout problem={complaint(set.error)} />}
      {set.isError && fieldErrorsOf(set.error).length > 0 && (
        <ul role="alert" className="text-[13px] text-bad">
          {fieldErrorsOf(set.error).map(({ field, message }) => (
            <li key={field + message}>{message}</li>
          ))}
        </ul>
      )}
      <div className="flex justify-end">
        <Button type="submit" tone="primary" busy={set.isPending}>
          Set limit
        </Button>
      </div>
    </form>
  );
}

function useSuggestions(word: TargetKind): string[] {
  const session = useSession();
  const kinds = useQuery(kindQueries.list);
  const queues = useQuery(queueQueries.list);
  return suggestions(word, {
    kinds: kinds.data?.items ?? [],
    queues: queues.data?.items ?? [],
    subject: session.name === "signed_in" ? session.me.subject : undefined,
  });
}
