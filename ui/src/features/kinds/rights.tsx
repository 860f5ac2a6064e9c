import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState } from "react";

import { setKindRoles } from "~/api/access";
import type { Kind, Role } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { ROLE_WORDS } from "~/features/members/roles";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Modal } from "~/ui/dialog";

import { kindQueries } from "./queries";

/** The roles that the owner decides about: the owner always may, the others never. */
const DECIDED = ["operator", "member"] as const satisfies readonly Role[];

/** Who may enqueue jobs of a kind, and the way to change that. */
export function KindRights({ kind }: { kind: Kind }) {
  const [editing, setEditing] = useState(false);
  return (
    <div className="mt-1.5 flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-ink-faint">
      <p>
        For {kind.roles.map((role) => ROLE_WORDS[role].title.toLowerCase()).join(", ")}
        {kind.reaches_machine && " · reaches files or programs of the machine"}
        {kind.roles_decided && " · decided by the owner"}
      </p>
      {kind.allowed_actions.includes("set_roles") && (
        <button
          type="button"
          aria-label={`Change who may use ${kind.name}`}
          onClick={() => setEditing(true)}
          className="rounded underline underline-offset-2 hover:text-accent pointer-coarse:min-h-11"
        >
          Change
        </button>
      )}
      <Modal
        open={editing}
        onOpenChange={setEditing}
        title="Who may use this kind"
        detail={
          <>
            Who may enqueue jobs of <code className="font-mono">{kind.name}</code>. The owner always may.
          </>
        }
      >
        <RolesForm kind={kind} onDone={() => setEditing(false)} />
      </Modal>
    </div>
  );
}

function RolesForm({ kind, onDone }: { kind: Kind; onDone: () => void }) {
  const id = useId();
  const queries = useQueryClient();
  const [chosen, setChosen] = useState<readonly Role[]>(DECIDED.filter((role) => kind.roles.includes(role)));
  const set = useMutation({
    mutationFn: (roles: Role[] | null) => setKindRoles(kind.name, roles),
    onSuccess: onDone,
    onSettled: () => queries.invalidateQueries({ queryKey: kindQueries.list.queryKey }),
  });
  return (
    <form
      aria-label="Who may use this kind"
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        set.mutate([...chosen]);
      }}
    >
      <fieldset className="space-y-2">
        <legend className="sr-only">Roles</legend>
        {DECIDED.map((role) => (
          <div key={role} className="flex items-start gap-2.5 text-[13px]">
            <input
              type="checkbox"
              id={`${id}-${role}`}
              checked={chosen.includes(role)}
              onChange={(event) =>
                setChosen(DECIDED.filter((known) => (known === role ? event.target.checked : chosen.includes(known))))
              }
              className="mt-0.5 size-4 shrink-0 accent-accent pointer-coarse:size-5"
            />
            <label htmlFor={`${id}-${role}`}>{ROLE_WORDS[role].title}s</label>
          </div>
        ))}
      </fieldset>
      {kind.reaches_machine && chosen.includes("member") && (
        <p className="text-[13px] text-warn">
          Jobs of this kind run as the user that Flowork runs as. A member who may enqueue them can reach what that user can.
        </p>
      )}
      {set.isError && <ErrorCallout problem={complaint(set.error)} />}
      <div className="flex flex-wrap justify-end gap-2">
        {kind.roles_decided && (
          <Button busy={set.isPending} onClick={() => set.mutate(null)}>
            As the kind asks for
          </Button>
        )}
        <Button type="submit" tone="primary" busy={set.isPending}>
          Save
        </Button>
      </div>
    </form>
  );
}
