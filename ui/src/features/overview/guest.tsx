import { useQuery } from "@tanstack/react-query";

import { session } from "~/api/client";
import { Loaded } from "~/features/app/loaded";
import { statusQueries } from "~/features/status/queries";
import { Button } from "~/ui/button";
import { Facts } from "~/ui/facts";
import { Page, Section } from "~/ui/page";
import { Elapsed } from "~/ui/time";

/** How the node is, for those who may not see its jobs. */
export function GuestOverview() {
  const query = useQuery(statusQueries.status);
  return (
    <Page
      title="Overview"
      detail="You may see that this node runs. What it can run, and its jobs, are for members."
      actions={<Button onClick={() => void session.signOut()}>Sign in as a member</Button>}
    >
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
    </Page>
  );
}
