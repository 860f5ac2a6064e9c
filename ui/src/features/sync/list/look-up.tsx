import { useNavigate } from "@tanstack/react-router";
import { type SubmitEvent, useId, useState } from "react";

import { paths } from "~/paths";
import { Button } from "~/ui/button";
import { describedBy, Field, Input } from "~/ui/field";

/** An id anywhere in a text, as in a link that somebody kept. */
const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;

/** The way to a session that is in no list any more. */
export function LookUp() {
  const id = useId();
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const [isWrong, setWrong] = useState(false);

  function onSubmit(event: SubmitEvent) {
    event.preventDefault();
    const sessionId = ID.exec(text)?.[0].toLowerCase();
    if (sessionId === undefined) setWrong(true);
    else void navigate({ to: paths.syncSession, params: { sessionId } });
  }

  return (
    <form onSubmit={onSubmit} noValidate aria-label="Look up a session" className="rounded-xl border border-line bg-panel p-4">
      <div className="flex flex-wrap items-start gap-2">
        <div className="min-w-0 flex-1 basis-72">
          <Field
            id={id}
            label="A session that is not listed any more"
            hint="Some time after its end a session leaves the list. What happened in it is kept for 90 days, under its id or its link."
            errors={isWrong ? ["There is no session id in that. It looks like 0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90."] : []}
          >
            <Input
              id={id}
              value={text}
              placeholder="Id or link"
              aria-invalid={isWrong || undefined}
              aria-describedby={describedBy(id, { hint: true, errors: isWrong })}
              onChange={({ currentTarget }) => {
                setText(currentTarget.value);
                setWrong(false);
              }}
            />
          </Field>
        </div>
        <Button type="submit" className="mt-6.5">
          Show history
        </Button>
      </div>
    </form>
  );
}
