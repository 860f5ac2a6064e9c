import { useId, useState } from "react";

import type { Member } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Field, Input } from "~/ui/field";

import { useUpdateMember } from "./actions";
import { NAME_CHARS_MAX } from "./add-form";

/** Gives a member another name; everything they did stays theirs. */
export function RenameForm({ member, onDone }: { member: Member; onDone: () => void }) {
  const id = useId();
  const update = useUpdateMember(member.subject);
  const [name, setName] = useState(member.name);
  return (
    <form
      aria-label="Rename the member"
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        update.mutate({ name: name.trim() }, { onSuccess: onDone });
      }}
    >
      <Field id={id} label="Name" required>
        <Input id={id} value={name} maxLength={NAME_CHARS_MAX} required onChange={(event) => setName(event.target.value)} />
      </Field>
      {update.isError && <ErrorCallout problem={complaint(update.error)} />}
      <div className="flex justify-end">
        <Button type="submit" tone="primary" busy={update.isPending}>
          Save name
        </Button>
      </div>
    </form>
  );
}
