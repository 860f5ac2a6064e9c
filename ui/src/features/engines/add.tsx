import { useId, useState } from "react";

import type { CreatedEngine } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { fieldErrorsOf } from "~/features/jobs/new/field-errors";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Modal } from "~/ui/dialog";
import { describedBy, Field, Input } from "~/ui/field";

import { useAddEngine } from "./actions";
import { ShownToken } from "./shown-token";

/** The longest name that the node takes. */
const NAME_CHARS_MAX = 64;

/** Makes an engine for another machine, and shows its token once. */
export function AddEngine({ onClose }: { onClose: () => void }) {
  const [created, setCreated] = useState<CreatedEngine>();
  if (created !== undefined) return <ShownToken engineName={created.engine.name} token={created.token} onSaved={onClose} />;
  return (
    <Modal
      open
      onOpenChange={onClose}
      title="Add an engine"
      detail="For workers on another machine, or in another process. It gets a token of its own and sees its own jobs only."
    >
      <EngineForm onCreated={setCreated} />
    </Modal>
  );
}

function EngineForm({ onCreated }: { onCreated: (created: CreatedEngine) => void }) {
  const id = useId();
  const add = useAddEngine();
  const [name, setName] = useState("");
  const errors = add.isError ? fieldErrorsOf(add.error).map(({ message }) => message) : [];
  return (
    <form
      aria-label="New engine"
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        add.mutate(name.trim(), { onSuccess: onCreated });
      }}
    >
      <Field id={id} label="Name" required errors={errors}>
        <Input
          id={id}
          value={name}
          required
          maxLength={NAME_CHARS_MAX}
          placeholder="such as: attic"
          aria-invalid={errors.length > 0 || undefined}
          aria-describedby={describedBy(id, { hint: false, errors: errors.length > 0 })}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      {add.isError && errors.length === 0 && <ErrorCallout problem={complaint(add.error)} />}
      <div className="flex justify-end">
        <Button type="submit" tone="primary" busy={add.isPending}>
          Add engine
        </Button>
      </div>
    </form>
  );
}
