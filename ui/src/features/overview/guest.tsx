import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { session } from "~/api/client";
import { Loaded } from "~/features/app/loaded";
import { statusQueries } from "~/features/status/queries";
import { paths } from "~/paths";
import { Button, buttonClass } from "~/ui/button";
import { Facts } from "~/ui/facts";
import { Page, Section } from "~/ui/page";
import { Elapsed } from "~/ui/time";

/** How the node is, for those who may not see its jobs. */
export function GuestOverview() {
  const query = useQuery(statusQueries.status);
  return (
    <Page
      title="Overview"
      detail="You may see that this node runs and what it can run. Its jobs are for members."
      actions={<Button onClick={() => void session.signOut()}>Sign in as a member</Button>}
    >
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Section title="Node">
          <Loaded query={query} what="the node's status">
            {(status) => (
              <Facts
                items={[
                  ["Version", status.version],
                  ["Running for", <Elapsed from={status.started_at} to={undefined} />],
                  ["Jobs", status.draining ? "Draining: takes no new ones" : "Accepted"],
                ]}
              />
            )}
          </Loaded>
        </Section>
        <Section title="What it can run">
          <p className="mb-3 text-[13px] text-ink-soft">Each kind of work, with what it takes.</p>
          <Link to={paths.kinds} className={buttonClass("plain")}>
            See kinds and modules
          </Link>
        </Section>
      </div>
    </Page>
  );
}
