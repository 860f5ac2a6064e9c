import clsx from "clsx";
import type { ReactNode } from "react";

import { activeOf, balanceOf } from "~/sync/reckon";
import type { Participant, SyncState } from "~/sync/state";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Section } from "~/ui/page";
import { Pill } from "~/ui/pill";

import { syncComplaint, useChangeSync } from "../actions";
import { nameOf } from "../names";
import { Ticking } from "../ticking";

/** Who takes part, what they have left and what they used, in the order of their turns. */
export function Participants({ state, mayChange }: { state: SyncState; mayChange: boolean }) {
  const change = useChangeSync(state.session_id);
  const canSwitch = mayChange && state.allowed_actions.includes("switch") && state.participants.length > 1;
  return (
    <Section title="Participants" flush>
      {change.isError && (
        <div className="p-4">
          <ErrorCallout problem={syncComplaint(change.error)} />
        </div>
      )}
      <ol>
        {state.participants.map((participant) => (
          <Row
            key={participant.participant_id}
            state={state}
            participant={participant}
            onSwitch={
              canSwitch && !participant.is_active
                ? () => {
                    if (change.isPending) return;
                    change.mutate({ name: "switch_to", participantId: participant.participant_id, seen: state });
                  }
                : undefined
            }
          />
        ))}
      </ol>
    </Section>
  );
}

interface RowProps {
  state: SyncState;
  participant: Participant;
  onSwitch: (() => void) | undefined;
}

function Row({ state, participant, onSwitch }: RowProps) {
  const name = nameOf(state.metadata, participant);
  const active = activeOf(state);
  const groups = groupsOf(state);
  const isCharged =
    participant.is_active || (state.sync_mode === "per_group" && active !== undefined && active.group_id === participant.group_id);
  const runs = state.cycle_started_at !== null && isCharged;
  const hasBalance = balanceOf(state, participant, 0).leftMs !== null;
  return (
    <li
      aria-label={name}
      aria-current={participant.is_active || undefined}
      className={clsx(
        "flex flex-wrap items-center justify-between gap-x-6 gap-y-1.5 border-b border-line px-4 py-3 last:border-0",
        participant.is_active && "bg-accent-soft",
      )}
    >
      <div className="flex min-w-0 flex-1 basis-48 flex-wrap items-center gap-2 text-[13px]">
        <span className="font-medium [overflow-wrap:anywhere]">{name}</span>
        {groups.length > 0 && participant.group_id !== null && (
          <span className="text-xs text-ink-soft">Group {groups.indexOf(participant.group_id) + 1}</span>
        )}
        {participant.is_active && <Pill tone="run">Active</Pill>}
        {participant.has_expired && <Pill tone="bad">Time is out</Pill>}
      </div>
      <dl className="numeric flex flex-wrap items-baseline gap-x-5 text-[13px]">
        {hasBalance && (
          <Figure title="Left">
            <Ticking
              label={`Left for ${name}`}
              direction="down"
              runs={runs}
              read={(nowMs) => balanceOf(state, participant, nowMs).leftMs ?? 0}
              className="text-base font-semibold"
            />
          </Figure>
        )}
        <Figure title="Used">
          <Ticking
            label={`Used by ${name}`}
            direction="up"
            runs={runs && participant.is_active}
            read={(nowMs) => balanceOf(state, participant, nowMs).usedMs}
          />
        </Figure>
        <Figure title="Turns">{participant.cycle_count.toLocaleString()}</Figure>
      </dl>
      {onSwitch !== undefined && (
        <Button aria-label={`Switch to ${name}`} onClick={onSwitch}>
          Switch to
        </Button>
      )}
    </li>
  );
}

function Figure({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="flex items-baseline gap-1.5">
      <dt className="text-xs text-ink-soft">{title}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The groups in the order in which they are met; none in other modes. */
function groupsOf({ sync_mode: mode, participants }: SyncState): string[] {
  if (mode !== "per_group") return [];
  return [...new Set(participants.flatMap(({ group_id: group }) => group ?? []))];
}
