import { useQuery } from "@tanstack/react-query";
import { Gauge, Plus } from "lucide-react";
import { useState } from "react";

import type { Limit } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Loaded } from "~/features/app/loaded";
import { Button } from "~/ui/button";
import { Confirm, Modal } from "~/ui/dialog";
import { EmptyState } from "~/ui/empty-state";
import { Page, Section } from "~/ui/page";
import { Ago } from "~/ui/time";

import { useRemoveLimit } from "./actions";
import { LimitForm } from "./form";
import { limitQueries } from "./queries";
import { limitWords, targetWords } from "./words";

/** How much may run at once, and how often something may start. */
export function LimitsPage() {
  const query = useQuery(limitQueries.list);
  // What the dialog is about; `"new"` for a limit that is not there yet.
  const [editing, setEditing] = useState<Limit | "new">();
  const [removing, setRemoving] = useState<Limit>();
  const mayAdd = query.data?.allowed_actions.includes("set") ?? false;
  const add = mayAdd && (
    <Button tone="primary" onClick={() => setEditing("new")}>
      <Plus aria-hidden className="size-4" />
      Add limit
    </Button>
  );
  return (
    <Page
      title="Limits"
      detail="How much may run at once, and how often something may start. All workers share a limit, and a change takes effect at once. A job over a limit waits; it does not fail."
      actions={query.data !== undefined && query.data.items.length > 0 && add}
    >
      <Section title="All limits" flush>
        <Loaded query={query} what="limits">
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState icon={Gauge} title="No limits yet" actions={add}>
                Without one, jobs start as soon as a worker is free. Set one to keep to what a provider allows, to share
                fairly between tenants, or to keep a heavy kind of job from filling the machine.
              </EmptyState>
            ) : (
              <ul>
                {items.map((limit) => (
                  <Entry
                    key={limit.target}
                    limit={limit}
                    onEdit={() => setEditing(limit)}
                    onRemove={() => setRemoving(limit)}
                  />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Section>
      <Modal
        open={editing !== undefined}
        onOpenChange={(open) => !open && setEditing(undefined)}
        title={editing === "new" ? "Add a limit" : "Change the limit"}
      >
        <LimitForm limit={editing === "new" ? undefined : editing} onDone={() => setEditing(undefined)} />
      </Modal>
      <Remove limit={removing} onClose={() => setRemoving(undefined)} />
    </Page>
  );
}

function Entry({ limit, onEdit, onRemove }: { limit: Limit; onEdit: () => void; onRemove: () => void }) {
  const { what, name } = targetWords(limit.target);
  return (
    <li className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2 border-b border-line px-4 py-3 last:border-0">
      <div className="min-w-0 flex-1 basis-64 space-y-0.5">
        <h3 className="text-[13px] [overflow-wrap:anywhere]">
          {what} <code className="font-mono font-medium">{name}</code>
        </h3>
        <p className="text-[13px] text-ink-soft first-letter:uppercase">{limitWords(limit)}</p>
        <p className="numeric text-xs text-ink-faint">
          {limit.running.toLocaleString()} running now · set <Ago at={limit.set_at} />
        </p>
      </div>
      <div className="flex gap-2">
        {limit.allowed_actions.includes("set") && (
          <Button aria-label={`Change the limit of ${limit.target}`} onClick={onEdit}>
            Change
          </Button>
        )}
        {limit.allowed_actions.includes("remove") && (
          <Button tone="danger" aria-label={`Remove the limit of ${limit.target}`} onClick={onRemove}>
            Remove
          </Button>
        )}
      </div>
    </li>
  );
}

function Remove({ limit, onClose }: { limit: Limit | undefined; onClose: () => void }) {
  const remove = useRemoveLimit();
  if (limit === undefined) return null;
  const { what, name } = targetWords(limit.target);
  return (
    <Confirm
      open
      onOpenChange={(open) => !open && onClose()}
      title="Remove this limit?"
      detail={`${what} ${name} will then start whenever a worker is free. Those that wait because of it may start at once.`}
      confirm="Remove limit"
      tone="danger"
      busy={remove.isPending}
      problem={remove.isError ? complaint(remove.error) : undefined}
      onConfirm={() => remove.mutate(limit.target, { onSuccess: onClose })}
    />
  );
}
