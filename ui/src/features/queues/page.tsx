import { Link } from "@tanstack/react-router";
import { Layers } from "lucide-react";

import { Loaded } from "~/features/app/loaded";
import { DrainSection } from "~/features/drain/section";
import { paths } from "~/paths";
import { buttonClass } from "~/ui/button";
import { EmptyState } from "~/ui/empty-state";
import { Page, Section } from "~/ui/page";

import { useQueues } from "./rates";
import { QueueTable } from "./table";

/** The queues: how deep, how slow, and whether they are paused. */
export function QueuesPage() {
  const query = useQueues();
  return (
    <Page
      title="Queues"
      detail="A queue holds jobs until a worker claims them. It comes to be with its first job. A paused queue keeps its jobs and takes more."
    >
      <div className="space-y-4">
        <Section title="All queues" flush>
          <Loaded query={query} what="queues">
            {({ items }) => (items.length === 0 ? <NoQueues /> : <QueueTable queues={items} />)}
          </Loaded>
        </Section>
        <DrainSection />
      </div>
    </Page>
  );
}

function NoQueues() {
  return (
    <EmptyState
      icon={Layers}
      title="No queues yet"
      actions={
        <Link to={paths.newJob} className={buttonClass("primary")}>
          Enqueue the first job
        </Link>
      }
    >
      Every job waits in a queue: in the one it names, or in <code className="font-mono">default</code>. Its queue appears
      here with it.
    </EmptyState>
  );
}
