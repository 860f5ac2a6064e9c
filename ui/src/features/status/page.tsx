import { useQuery } from "@tanstack/react-query";

import type { Status } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { Callout, Hint } from "~/ui/callout";
import { CopyButton } from "~/ui/copy-button";
import { formatBytes } from "~/ui/duration";
import { Facts } from "~/ui/facts";
import { Page, Section } from "~/ui/page";
import { At, Elapsed } from "~/ui/time";

import { statusQueries } from "./queries";
import { vaultWords } from "./vault";

/** The node itself: what it is, where its things are, what to know about it. */
export function StatusPage() {
  const query = useQuery(statusQueries.status);
  return (
    <Page title="Status">
      <Loaded query={query} what="the node's status">
        {(status) => (
          <div className="space-y-4">
            {status.notices.map((notice) => (
              <Callout key={notice.code} tone="warn" title={notice.message}>
                {notice.hint && <Hint>{notice.hint}</Hint>}
              </Callout>
            ))}
            <div className="grid gap-4 lg:grid-cols-2">
              <NodePanel status={status} />
              <KeepingPanel status={status} />
            </div>
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function NodePanel({ status }: { status: Status }) {
  return (
    <Section title="Node">
      <Facts
        items={[
          ["Version", status.version],
          ["Jobs", status.draining ? "Draining: takes no new ones" : "Accepted"],
          ["Address", <code className="font-mono text-xs">{status.url}</code>],
          ["Running for", <Elapsed from={status.started_at} to={undefined} />],
          ["Started", <At at={status.started_at} />],
          ["Process", String(status.pid)],
          ["Memory", formatBytes(status.memory_bytes)],
          ["Engines", String(status.engines.length)],
        ]}
      />
    </Section>
  );
}

function KeepingPanel({ status }: { status: Status }) {
  return (
    <Section title="Data and keys">
      <Facts
        items={[
          [
            "Data directory",
            <span className="inline-flex items-center gap-1">
              <code className="font-mono text-xs">{status.data_dir}</code>
              <CopyButton value={status.data_dir} what="the path" />
            </span>,
          ],
          ["Vault", <span className="inline-block first-letter:uppercase">{vaultWords(status.vault).title}</span>],
        ]}
      />
      <p className="mt-3 text-xs text-ink-faint">
        Jobs, payloads and results stay in the data directory. Keys are in the vault and never in the clear.
      </p>
    </Section>
  );
}
