import { KeyRound, MonitorSmartphone, Wallet } from "lucide-react";
import { useId, useState } from "react";

import type { FieldError, Member, MemberKey } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { fieldErrorsOf } from "~/features/jobs/new/field-errors";
import { readAddress } from "~/identity/address";
import { Address, shortAddress } from "~/ui/address";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Confirm, Modal } from "~/ui/dialog";
import { EmptyState } from "~/ui/empty-state";
import { describedBy, Field, Input } from "~/ui/field";
import { Section } from "~/ui/page";
import { Ago } from "~/ui/time";

import { useAddKey, useRemoveKey } from "./actions";
import { NAME_CHARS_MAX } from "./add-form";

/** What a member signs in with. */
export function KeysSection({ member }: { member: Member }) {
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<MemberKey>();
  const add = member.allowed_actions.includes("add_key") && (
    <Button onClick={() => setAdding(true)}>Add wallet</Button>
  );
  return (
    <Section title="Keys" flush aside={add}>
      {member.keys.length === 0 ? (
        <EmptyState icon={KeyRound} title="No keys yet">
          {member.name} can't sign in yet. Make a link that brings a browser in, or add the address of a wallet.
        </EmptyState>
      ) : (
        <ul>
          {member.keys.map((key) => (
            <Entry
              key={key.address}
              memberKey={key}
              onRemove={member.allowed_actions.includes("remove_key") ? () => setRemoving(key) : undefined}
            />
          ))}
        </ul>
      )}
      <Modal open={adding} onOpenChange={setAdding} title="Add a wallet">
        <WalletForm member={member} onDone={() => setAdding(false)} />
      </Modal>
      {removing !== undefined && <AskRemove member={member} memberKey={removing} onClose={() => setRemoving(undefined)} />}
    </Section>
  );
}

function Entry({ memberKey, onRemove }: { memberKey: MemberKey; onRemove: (() => void) | undefined }) {
  const { address, kind, name, created_at: createdAt, last_used_at: lastUsedAt } = memberKey;
  const Icon = kind === "wallet" ? Wallet : MonitorSmartphone;
  return (
    <li aria-label={name} className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2 border-b border-line px-4 py-3 last:border-0">
      <div className="flex min-w-0 flex-1 basis-64 items-start gap-3">
        <Icon aria-hidden className="mt-0.5 size-4 shrink-0 text-ink-faint" />
        <div className="min-w-0 space-y-0.5 text-[13px]">
          <p className="font-medium [overflow-wrap:anywhere]">{name}</p>
          <p className="flex flex-wrap items-center gap-x-1.5 text-xs text-ink-faint">
            <span>{kind === "wallet" ? "Wallet" : "Browser"}</span>
            <Address address={address} copy />
            <span className="numeric">
              added <Ago at={createdAt} />
              {lastUsedAt && (
                <>
                  , used <Ago at={lastUsedAt} />
                </>
              )}
            </span>
          </p>
        </div>
      </div>
      {onRemove !== undefined && (
        <Button tone="danger" aria-label={`Remove the key ${name} ${shortAddress(address)}`} onClick={onRemove}>
          Remove
        </Button>
      )}
    </li>
  );
}

function WalletForm({ member, onDone }: { member: Member; onDone: () => void }) {
  const id = useId();
  const add = useAddKey(member.subject);
  const [name, setName] = useState("Wallet");
  const [typed, setTyped] = useState("");
  const [errors, setErrors] = useState<FieldError[]>([]);
  const wrong = errors.filter(({ field }) => field === "/address").map(({ message }) => message);

  function send() {
    const read = readAddress(typed);
    setErrors(read.ok ? [] : [{ field: "/address", message: read.reason }]);
    if (!read.ok) return;
    const request = { address: read.address, kind: "wallet", name: name.trim() } as const;
    add.mutate(request, { onSuccess: onDone, onError: (error) => setErrors(fieldErrorsOf(error)) });
  }

  return (
    <form
      aria-label="New wallet"
      noValidate
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Field
        id={`${id}-address`}
        label="Wallet address"
        required
        hint={`Whoever can sign for this account goes in as ${member.name}.`}
        errors={wrong}
      >
        <Input
          id={`${id}-address`}
          value={typed}
          placeholder="0x…"
          aria-invalid={wrong.length > 0 || undefined}
          aria-describedby={describedBy(`${id}-address`, { hint: true, errors: wrong.length > 0 })}
          onChange={(event) => setTyped(event.target.value)}
          className="font-mono"
        />
      </Field>
      <Field id={`${id}-name`} label="Name" required>
        <Input id={`${id}-name`} value={name} maxLength={NAME_CHARS_MAX} onChange={(event) => setName(event.target.value)} />
      </Field>
      {add.isError && <ErrorCallout problem={complaint(add.error)} />}
      <div className="flex justify-end">
        <Button type="submit" tone="primary" busy={add.isPending}>
          Add wallet
        </Button>
      </div>
    </form>
  );
}

function AskRemove({ member, memberKey, onClose }: { member: Member; memberKey: MemberKey; onClose: () => void }) {
  const remove = useRemoveKey(member.subject);
  const what = memberKey.kind === "wallet" ? "This wallet" : "This browser";
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title={`Remove the key ${memberKey.name}?`}
      detail={`${what} can't sign in as ${member.name} any more, and the sessions that it opened end at once.`}
      confirm="Remove key"
      tone="danger"
      busy={remove.isPending}
      problem={remove.isError ? complaint(remove.error) : undefined}
      onConfirm={() => remove.mutate(memberKey.address, { onSuccess: onClose })}
    />
  );
}
