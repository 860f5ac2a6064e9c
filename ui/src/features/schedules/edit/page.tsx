import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";

import { ApiError } from "~/api/error";
import type { Kind, Schedule } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { kindQueries, mayEnqueue } from "~/features/kinds/queries";
import { paths } from "~/paths";
import { Callout } from "~/ui/callout";
import { Combobox } from "~/ui/combobox";
import { Page, Section } from "~/ui/page";

import { useCreateSchedule, useUpdateSchedule } from "../actions";
import { scheduleQueries } from "../queries";
import { createRequest, updateRequest } from "./draft";
import { ScheduleForm } from "./form";

const newRoute = getRouteApi(paths.newSchedule);
const oneRoute = getRouteApi(paths.schedule);

/** Makes a schedule. The kind is in the URL, as for a new job. */
export function NewSchedulePage() {
  const prefill = newRoute.useSearch();
  const navigate = useNavigate();
  const query = useQuery(kindQueries.list);
  return (
    <Page title="New schedule" detail="A schedule enqueues a job by itself, again and again.">
      <div className="max-w-2xl">
        <Loaded query={query} what="kinds">
          {({ items }) => {
            const kind = items.find(({ name }) => name === prefill.kind);
            return (
              <div className="space-y-4">
                <KindSection
                  kinds={items.filter(mayEnqueue)}
                  chosen={prefill.kind}
                  onChange={(name) => void navigate({ to: paths.newSchedule, search: { kind: name }, replace: true })}
                />
                {kind === undefined ? (
                  <Callout tone="note" title="Choose a kind to see what it needs">
                    <p>After that you say when it runs, and see the next runs before you create anything.</p>
                  </Callout>
                ) : (
                  <Create key={kind.name} kind={kind} payload={prefill.payload} />
                )}
              </div>
            );
          }}
        </Loaded>
      </div>
    </Page>
  );
}

function Create({ kind, payload }: { kind: Kind; payload: Record<string, unknown> | undefined }) {
  const navigate = useNavigate();
  const create = useCreateSchedule();
  return (
    <ScheduleForm
      kind={kind}
      schedule={undefined}
      payload={payload}
      busy={create.isPending}
      error={create.error}
      onSend={(draft) =>
        create.mutate(createRequest(kind.name, draft), { onSuccess: () => void navigate({ to: paths.schedules }) })
      }
    />
  );
}

/** Changes a schedule. */
export function SchedulePage() {
  const { scheduleId } = oneRoute.useParams();
  const schedule = useQuery(scheduleQueries.one(scheduleId));
  const kinds = useQuery(kindQueries.list);
  if (schedule.error instanceof ApiError && schedule.error.status === 404) return <Unknown id={scheduleId} />;
  return (
    <Page title={schedule.data?.name ?? "Schedule"} detail="A change of the times counts from the moment it is saved.">
      <div className="max-w-2xl">
        <Loaded query={schedule} what="the schedule">
          {(known) => (
            <Loaded query={kinds} what="kinds">
              {({ items }) => <Change key={known.id} schedule={known} kinds={items} />}
            </Loaded>
          )}
        </Loaded>
      </div>
    </Page>
  );
}

function Change({ schedule, kinds }: { schedule: Schedule; kinds: readonly Kind[] }) {
  const navigate = useNavigate();
  const update = useUpdateSchedule(schedule.id);
  const kind = kinds.find(({ name }) => name === schedule.job.kind);
  if (!schedule.allowed_actions.includes("update")) {
    return <Callout tone="note" title="This schedule is not yours to change" />;
  }
  if (kind === undefined) {
    return (
      <Callout tone="warn" title={`There is no kind ${schedule.job.kind} now`}>
        <p>The schedule can be changed here once there is: its form is made from what the kind says about its payload.</p>
      </Callout>
    );
  }
  return (
    <div className="space-y-4">
      <p className="text-[13px] text-ink-soft">
        Enqueues <code className="font-mono">{kind.name}</code>. {kind.description}
      </p>
      <ScheduleForm
        kind={kind}
        schedule={schedule}
        payload={undefined}
        busy={update.isPending}
        error={update.error}
        onSend={(draft) =>
          update.mutate(updateRequest(schedule, kind.name, draft), {
            onSuccess: () => void navigate({ to: paths.schedules }),
          })
        }
      />
    </div>
  );
}

interface KindSectionProps {
  kinds: readonly Kind[];
  chosen: string | undefined;
  onChange: (name: string) => void;
}

function KindSection({ kinds, chosen, onChange }: KindSectionProps) {
  const kind = kinds.find(({ name }) => name === chosen);
  return (
    <Section title="What to run" className="overflow-visible">
      <Combobox
        label="Kind"
        value={chosen}
        placeholder="Search kinds, such as csv or http"
        options={kinds.map(({ name, title, description }) => ({ value: name, title, detail: description }))}
        onChange={onChange}
        {...(kind === undefined ? {} : { hint: kind.description })}
        errors={chosen !== undefined && kind === undefined ? [`There is no kind ${chosen} now.`] : []}
      />
    </Section>
  );
}

function Unknown({ id }: { id: string }) {
  return (
    <Page title="There is no such schedule">
      <p className="text-ink-soft [overflow-wrap:anywhere]">
        This node does not know <code className="font-mono">{id}</code>, or it is not yours to see.{" "}
        <Link to={paths.schedules} className="text-accent underline underline-offset-2">
          All schedules
        </Link>
      </p>
    </Page>
  );
}
