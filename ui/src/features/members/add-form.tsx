import { useId, useState } from "react";

import type { FieldError, Member } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { fieldErrorsOf } from "~/features/jobs/new/field-errors";
import { readAddress } from "~/identity/address";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Choice } from "~/ui/choice";
import { describedBy, Field, Input } from "~/ui/field";

import { useAddMember } from "./actions";
import { type GivenRole, ROLE_CHOICES } from "./roles";

/** The longest name that the node takes. */
export const NAME_CHARS_MAX = 64;

/** Adds one member. With a wallet's address they can sign in at once; without one they need an invitation. */
export function AddMemberForm({ onAdded }: { onAdded: (member: Member, invite: boolean) => void }) {
  const id = useId();
  const add = useAddMember();
  const [name, setName] = useState("");
  const [typed, setTyped] = useState("");
  const [role, setRole] = useState<GivenRole>("member");
  const [errors, setErrors] = useState<FieldError[]>([]);
  const errorsAt = (field: string) => errors.filter((error) => error.field === field).map(({ message }) => message);

  function send() {
    const address = typed.trim() === "" ? undefined : readAddress(typed);
    const wrong = [
      ...(name.trim() === "" ? [{ field: "/name", message: "A name is needed." }] : []),
      ...(address?.ok === false ? [{ field: "/address", message: address.reason }] : []),
    ];
    setErrors(wrong);
    if (wrong.length > 0) return;
    add.mutate(
      { request: { name: name.trim(), role }, address: address?.ok === true ? address.address : undefined },
      {
        onSuccess: (member) => onAdded(member, address === undefined),
        onError: (error) => setErrors(fieldErrorsOf(error)),
      },
    );
  }

  return (
    <form
      aria-label="New member"
      noValidate
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Field id={`${id}-name`} label="Name" required errors={errorsAt("/name")}>
        <Input
          id={`${id}-name`}
          value={name}
          maxLength={NAME_CHARS_MAX}
          aria-invalid={errorsAt("/name").length > 0 || undefined}
          aria-describedby={describedBy(`${id}-name`, { hint: false, errors: errorsAt("/name").length > 0 })}
          onChange={(event) => setName(event.target.value)}
        />
      </Field>
      <Field
        id={`${id}-address`}
        label="Wallet address"
        hint="Whoever can sign for this account goes in as this member. Empty: you get a link to send them instead."
        errors={errorsAt("/address")}
      >
        <Input
          id={`${id}-address`}
          value={typed}
          placeholder="0x…"
          aria-invalid={errorsAt("/address").length > 0 || undefined}
          aria-describedby={describedBy(`${id}-address`, { hint: true, errors: errorsAt("/address").length > 0 })}
          onChange={(event) => setTyped(event.target.value)}
          className="font-mono"
        />
      </Field>
      <Choice label="Role" value={role} onChange={setRole} options={ROLE_CHOICES} />
      {add.isError && <ErrorCallout problem={complaint(add.error)} />}
      <div className="flex justify-end">
        <Button type="submit" tone="primary" busy={add.isPending}>
          Add member
        </Button>
      </div>
    </form>
  );
}
