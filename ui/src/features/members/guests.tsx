import { useQuery } from "@tanstack/react-query";
import { useId } from "react";

import type { GuestArea, GuestPolicy } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Loaded } from "~/features/app/loaded";
import { ErrorCallout } from "~/ui/callout";
import { Section } from "~/ui/page";
import { Pill } from "~/ui/pill";

import { useSetGuests } from "./actions";
import { memberQueries } from "./queries";

const AREAS: readonly { area: GuestArea; title: string; detail: string }[] = [
  { area: "jobs", title: "Jobs", detail: "All jobs with their payloads and results, queues, schedules, engines, and the kinds that they run." },
  { area: "sessions", title: "Sync sessions", detail: "Who is in them and how much time is left." },
];

/** What those may see who are no members. */
export function GuestsSection() {
  const query = useQuery(memberQueries.guests);
  return (
    <Section
      title="Guests"
      aside={query.data && <Pill tone={query.data.enabled ? "warn" : "plain"}>{query.data.enabled ? "Let in" : "Kept out"}</Pill>}
    >
      <Loaded query={query} what="what guests may do">
        {(policy) => <Policy policy={policy} />}
      </Loaded>
    </Section>
  );
}

function Policy({ policy }: { policy: GuestPolicy }) {
  const set = useSetGuests();
  const shown = set.isPending ? set.variables : policy;
  return (
    <div className="space-y-4">
      <p className="max-w-2xl text-[13px] text-ink-soft">
        A guest is anybody who reaches this node and signs in without a key. They see the status of the node and what you
        open here, and change nothing.
      </p>
      <Switch
        title="Let guests in"
        detail="Their tokens last an hour; turning this off ends them at once."
        checked={shown.enabled}
        disabled={set.isPending}
        onChange={(enabled) => set.mutate({ ...policy, enabled })}
      />
      {AREAS.map(({ area, title, detail }) => (
        <Switch
          key={area}
          title={`Open to guests: ${title}`}
          detail={detail}
          checked={shown.open.includes(area)}
          disabled={set.isPending || !shown.enabled}
          onChange={(open) => set.mutate({ ...policy, open: AREAS.map((item) => item.area).filter((item) => (item === area ? open : policy.open.includes(item))) })}
        />
      ))}
      {set.isError && <ErrorCallout problem={complaint(set.error)} />}
    </div>
  );
}

interface SwitchProps {
  title: string;
  detail: string;
  checked: boolean;
  disabled: boolean;
  onChange: (checked: boolean) => void;
}

function Switch({ title, detail, checked, disabled, onChange }: SwitchProps) {
  const id = useId();
  return (
    <div className="flex items-start gap-2.5">
      <input
        type="checkbox"
        id={id}
        checked={checked}
        disabled={disabled}
        aria-describedby={`${id}-detail`}
        onChange={(event) => onChange(event.target.checked)}
        className="mt-0.5 size-4 shrink-0 accent-accent pointer-coarse:size-5"
      />
      <div className="min-w-0 text-[13px]">
        <label htmlFor={id} className="block leading-5">
          {title}
        </label>
        <p id={`${id}-detail`} className="text-[12.5px] leading-snug text-ink-faint">
          {detail}
        </p>
      </div>
    </div>
  );
}
