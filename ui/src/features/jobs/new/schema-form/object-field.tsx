import { Plus, X } from "lucide-react";
import { useState } from "react";

import { Button, IconButton } from "~/ui/button";
import { FieldNotes, Input } from "~/ui/field";

import { Group } from "./group";
import { membersOf, SchemaField, type SchemaFieldProps, useFieldWords } from "./schema-field";
import type { Schema, Shape } from "./shape";
import { escapeStep } from "./validate";

type ObjectShape = Extract<Shape, { shape: "object" }>;

/** The members of an object: those its schema names, and those a person names where it lets them. */
export function ObjectField({ shape, ...props }: SchemaFieldProps & { shape: ObjectShape }) {
  const { id, label, hint, messages } = useFieldWords(props);
  const fields = <Members {...props} shape={shape} />;
  // The whole payload needs no frame and no name.
  if (props.pointer === "") {
    return (
      <div className="space-y-5">
        <FieldNotes id={id} errors={messages} />
        {fields}
      </div>
    );
  }
  return (
    <Group id={id} label={label} required={props.required} hint={hint} errors={messages}>
      {fields}
    </Group>
  );
}

function Members({ shape, value, pointer, onChange }: SchemaFieldProps & { shape: ObjectShape }) {
  const members = membersOf(value);
  const known = new Set(shape.properties.map(({ name }) => name));

  function change(name: string, next: unknown, at: string) {
    const { [name]: _, ...rest } = members;
    onChange(next === undefined ? rest : { ...members, [name]: next }, at);
  }

  return (
    <>
      {shape.properties.map((property) => (
        <SchemaField
          key={property.name}
          schema={property.schema}
          name={property.name}
          required={property.required}
          pointer={`${pointer}/${escapeStep(property.name)}`}
          value={members[property.name]}
          onChange={(next, at) => change(property.name, next, at)}
        />
      ))}
      {shape.additional !== undefined && (
        <FurtherMembers
          schema={shape.additional}
          entries={Object.entries(members).filter(([name]) => !known.has(name))}
          pointer={pointer}
          onEntries={(entries, at) => {
            const own = Object.entries(members).filter(([name]) => known.has(name));
            onChange(Object.fromEntries([...own, ...entries]), at);
          }}
        />
      )}
    </>
  );
}

interface FurtherMembersProps {
  schema: Schema;
  entries: [string, unknown][];
  pointer: string;
  onEntries: (entries: [string, unknown][], pointer: string) => void;
}

function FurtherMembers({ schema, entries, pointer, onEntries }: FurtherMembersProps) {
  const names = new Set(entries.map(([name]) => name));
  const replace = (index: number, entry: [string, unknown]) => entries.map((old, at) => (at === index ? entry : old));
  return (
    <div className="space-y-3">
      {entries.map(([name, value], index) => (
        <div key={index} className="flex items-start gap-2">
          <NameInput
            name={name}
            number={index + 1}
            taken={names}
            onName={(next) => onEntries(replace(index, [next, value]), `${pointer}/${escapeStep(name)}`)}
          />
          <div className="min-w-0 flex-1">
            <SchemaField
              schema={schema}
              name={`Value of ${name === "" ? `entry ${index + 1}` : name}`}
              required={false}
              pointer={`${pointer}/${escapeStep(name)}`}
              value={value}
              onChange={(next, at) => onEntries(replace(index, [name, next ?? ""]), at)}
            />
          </div>
          <IconButton
            label={`Remove ${name === "" ? `entry ${index + 1}` : name}`}
            onClick={() => onEntries(entries.filter((_, at) => at !== index), pointer)}
            className="mt-6"
          >
            <X aria-hidden className="size-4" />
          </IconButton>
        </div>
      ))}
      <Button disabled={names.has("")} onClick={() => onEntries([...entries, ["", ""]], pointer)}>
        <Plus aria-hidden className="size-3.5" />
        Add entry
      </Button>
    </div>
  );
}

interface NameInputProps {
  name: string;
  number: number;
  taken: ReadonlySet<string>;
  onName: (name: string) => void;
}

/** The name of a member; it is taken over when it is left, and never over another one of the same name. */
function NameInput({ name, number, taken, onName }: NameInputProps) {
  const [typed, setTyped] = useState<string>();
  const clash = typed !== undefined && typed !== name && taken.has(typed);
  return (
    <div className="w-40 shrink-0 space-y-1.5">
      <span aria-hidden className="block text-[13px] font-medium">
        Name
      </span>
      <Input
        aria-label={`Name of entry ${number}`}
        aria-invalid={clash || undefined}
        value={typed ?? name}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={() => {
          if (typed !== undefined && typed !== name && !clash) onName(typed.trim());
          if (!clash) setTyped(undefined);
        }}
      />
      {clash && <p className="text-[13px] text-bad">There is one of this name.</p>}
    </div>
  );
}
