import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";

import type { Drain } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Loaded } from "~/features/app/loaded";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Confirm } from "~/ui/dialog";
import { Field, Input } from "~/ui/field";
import { Section } from "~/ui/page";
import { Pill } from "~/ui/pill";

import { useSetDrain } from "./actions";
import { drainQueries } from "./queries";
import { DrainOrigin, leftWords } from "./words";

/** The longest reason that the node takes. */
const REASON_CHARS_MAX = 200;

/** Whether the node takes jobs, and the switch for it. */
export function DrainSection() {
  const query = useQuery(drainQueries.state);
  const on = query.data?.on;
  return (
    <Section title="Drain" aside={on !== undefined && <Pill tone={on ? "warn" : "good"}>{on ? "Draining" : "Working"}</Pill>}>
      <Loaded query={query} what="the state of the drain">
        {(drain) => <Switch drain={drain} />}
      </Loaded>
    </Section>
  );
}

function Switch({ drain }: { drain: Drain }) {
  const [asking, setAsking] = useState(false);
  const set = useSetDrain();
  const problem = set.isError ? complaint(set.error) : undefined;
  return (
    <div className="space-y-3">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <div className="min-w-0 flex-1 basis-64 text-[13px] text-ink-soft">
          <Words drain={drain} />
        </div>
        {drain.allowed_actions.includes("stop") && (
          <Button busy={set.isPending} onClick={() => set.mutate({ on: false })}>
            End the drain
          </Button>
        )}
        {drain.allowed_actions.includes("start") && (
          <Button
            tone="danger"
            onClick={() => {
              set.reset();
              setAsking(true);
            }}
          >
            Drain this node…
          </Button>
        )}
      </div>
      {!asking && problem !== undefined && <ErrorCallout problem={problem} />}
      <Ask
        open={asking}
        onOpenChange={setAsking}
        busy={set.isPending}
        problem={problem}
        onConfirm={(reason) =>
          set.mutate({ on: true, ...(reason === "" ? {} : { reason }) }, { onSuccess: () => setAsking(false) })
        }
      />
    </div>
  );
}

function Words({ drain }: { drain: Drain }) {
  if (drain.on) {
    return (
      <>
        <p role="status" aria-label="Jobs left">
          {leftWords(drain.running)} {drain.running === 0 && !drain.stopping && "The node can be stopped now."}
        </p>
        <p>
          {drain.stopping ? "The node is about to stop." : "Nothing new starts until the drain is ended."}{" "}
          <DrainOrigin drain={drain} />
        </p>
        {drain.unstored === true && (
          <p className="text-warn">
            The disk did not take it, so a restart ends this drain. Make room on the disk, then drain again.
          </p>
        )}
      </>
    );
  }
  return (
    <p>
      Before maintenance, drain the node: what runs finishes, what waits stays where it is, and new jobs are told to come
      back later. It stays so across restarts until somebody ends it.
    </p>
  );
}

interface AskProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  busy: boolean;
  problem: ReturnType<typeof complaint> | undefined;
  onConfirm: (reason: string) => void;
}

function Ask({ open, onOpenChange, busy, problem, onConfirm }: AskProps) {
  const id = useId();
  const [reason, setReason] = useState("");
  return (
    <Confirm
      open={open}
      onOpenChange={onOpenChange}
      title="Drain this node?"
      detail="From now on nothing new starts on any engine, and whoever enqueues a job is told to come back later. Running jobs finish. It stays so, also after a restart, until somebody ends the drain."
      confirm="Drain now"
      tone="danger"
      busy={busy}
      problem={problem}
      onConfirm={() => onConfirm(reason.trim())}
    >
      <Field id={id} label="Reason" hint="Shown to everybody who uses this node. It may stay empty.">
        <Input
          id={id}
          value={reason}
          maxLength={REASON_CHARS_MAX}
          placeholder="such as: moving to another disk"
          aria-describedby={`${id}-hint`}
          onChange={(event) => setReason(event.target.value)}
        />
      </Field>
    </Confirm>
  );
}
