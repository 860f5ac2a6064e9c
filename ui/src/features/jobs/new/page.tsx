import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";

import type { Kind } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { kindQueries, mayEnqueue } from "~/features/kinds/queries";
import { type NewJobPrefill, paths } from "~/paths";
import { Callout } from "~/ui/callout";
import { Combobox } from "~/ui/combobox";
import { Page, Section } from "~/ui/page";

import { JobForm } from "./job-form";

const route = getRouteApi(paths.newJob);

/** Chooses a kind, fills in its payload, enqueues the job. The kind is in the URL, so that a form can be linked to. */
export function NewJobPage() {
  const prefill = route.useSearch();
  const query = useQuery(kindQueries.list);
  return (
    <Page title="New job">
      <div className="max-w-2xl">
        <Loaded query={query} what="kinds">
          {({ items }) => <Chosen kinds={items.filter(mayEnqueue)} prefill={prefill} />}
        </Loaded>
      </div>
    </Page>
  );
}

function Chosen({ kinds, prefill }: { kinds: readonly Kind[]; prefill: NewJobPrefill }) {
  const navigate = useNavigate();
  const kind = kinds.find(({ name }) => name === prefill.kind);
  return (
    <div className="space-y-4">
      <Section title="What to run" className="overflow-visible">
        <Combobox
          label="Kind"
          value={prefill.kind}
          placeholder="Search kinds, such as csv or http"
          options={kinds.map(({ name, title, description }) => ({ value: name, title, detail: description }))}
          onChange={(name) => void navigate({ to: paths.newJob, search: { kind: name }, replace: true })}
          {...(kind === undefined ? {} : { hint: kind.description })}
          errors={prefill.kind !== undefined && kind === undefined ? [`There is no kind ${prefill.kind} now.`] : []}
        />
      </Section>
      {kind === undefined && (
        <Callout tone="note" title="Choose a kind to see what it needs">
          <p>The form below is made from what the kind says about its payload.</p>
        </Callout>
      )}
      {kind !== undefined && kind.engine_ids.length === 0 && (
        <Callout tone="warn" title="No engine runs this kind now">
          <p>The job can be enqueued only once one does.</p>
        </Callout>
      )}
      {kind !== undefined && <JobForm key={kind.name} kind={kind} payload={prefill.payload} />}
    </div>
  );
}
