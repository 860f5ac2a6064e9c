import { Plus, X } from "lucide-react";
import { useId } from "react";

import type { FieldError } from "~/api/types";
import { newId } from "~/new-id";
import type { SyncMode } from "~/sync/state";
import { Button, IconButton } from "~/ui/button";
import { describedBy, Field, FieldNotes, Input, Select } from "~/ui/field";
import { Section } from "~/ui/page";
import { SpanInput } from "~/ui/span-input";

import { type DraftParticipant, fieldsOf } from "./draft";

/** The node takes as many. */
const PARTICIPANTS_MAX = 1_000;
const NAME_CHARS_MAX = 60;
/** More groups than this are made over the API. */
const GROUPS = [1, 2, 3, 4, 5, 6, 7, 8] as const;

interface ParticipantRowsProps {
  participants: readonly DraftParticipant[];
  mode: SyncMode;
  errors: readonly FieldError[];
  onChange: (participants: readonly DraftParticipant[]) => void;
}

/** Who takes part, in the order of their turns. */
export function ParticipantRows({ participants, mode, errors, onChange }: ParticipantRowsProps) {
  const id = useId();
  const messages = errors.filter(({ field }) => field === "/participants").map(({ message }) => message);
  const last = participants.at(-1);
  const add = () => onChange([...participants, { id: newId(), name: "", timeMs: last?.timeMs ?? 60_000, group: last?.group ?? 1 }]);
  return (
    <Section
      title="Who takes part"
      aside={
        <Button onClick={add} disabled={participants.length >= PARTICIPANTS_MAX}>
          <Plus aria-hidden className="size-4" />
          Add
        </Button>
      }
    >
      <ol className="space-y-4" aria-label="Participants">
        {participants.map((participant, index) => (
          <Row
            key={participant.id}
            participant={participant}
            number={index + 1}
            mode={mode}
            errorsAt={(name) => errors.filter(({ field }) => field === `/participants/${index}/${name}`).map(({ message }) => message)}
            onChange={(next) => onChange(participants.map((one) => (one.id === participant.id ? next : one)))}
            onRemove={participants.length > 1 ? () => onChange(participants.filter(({ id: other }) => other !== participant.id)) : undefined}
          />
        ))}
      </ol>
      <FieldNotes id={id} errors={messages} />
    </Section>
  );
}

interface RowProps {
  participant: DraftParticipant;
  number: number;
  mode: SyncMode;
  errorsAt: (name: string) => string[];
  onChange: (participant: DraftParticipant) => void;
  onRemove: (() => void) | undefined;
}

function Row({ participant, number, mode, errorsAt, onChange, onRemove }: RowProps) {
  const id = useId();
  const shown = fieldsOf(mode);
  const idErrors = errorsAt("participant_id");
  return (
    <li className="flex flex-wrap items-start gap-x-3 gap-y-2 border-b border-line pb-4 last:border-0 last:pb-0">
      <div className="min-w-40 flex-1">
        <Field id={`${id}-name`} label={`Name of participant ${number}`} errors={idErrors}>
          <Input
            id={`${id}-name`}
            value={participant.name}
            maxLength={NAME_CHARS_MAX}
            placeholder={`Participant ${number}`}
            aria-describedby={describedBy(`${id}-name`, { hint: false, errors: idErrors.length > 0 })}
            onChange={(event) => onChange({ ...participant, name: event.target.value })}
          />
        </Field>
      </div>
      {shown.own && (
        <SpanInput
          label={`Time of participant ${number}`}
          required
          value={participant.timeMs}
          onChange={(timeMs) => onChange({ ...participant, timeMs })}
          errors={errorsAt("total_time_ms")}
        />
      )}
      {shown.group && (
        <Field id={`${id}-group`} label={`Group of participant ${number}`} errors={errorsAt("group_id")}>
          <Select
            id={`${id}-group`}
            value={participant.group}
            onChange={(event) => onChange({ ...participant, group: Number(event.target.value) })}
            className="max-w-28"
          >
            {GROUPS.map((group) => (
              <option key={group} value={group}>
                Group {group}
              </option>
            ))}
          </Select>
        </Field>
      )}
      {onRemove !== undefined && (
        <IconButton label={`Remove participant ${number}`} onClick={onRemove} className="mt-6">
          <X aria-hidden className="size-4" />
        </IconButton>
      )}
    </li>
  );
}
