import { useQuery } from "@tanstack/react-query";

import { useStreamState } from "~/features/live/live";
import { statusQueries } from "~/features/status/queries";
import { platform } from "~/platform";
import { Button } from "~/ui/button";
import { Callout } from "~/ui/callout";
import { useNow } from "~/ui/clock";

import { useStream } from "./stream-context";

/** A single failure is mostly a restart; from the second on a person should know. */
const FAILURES_BEFORE_BANNER = 2;

/** What matters on every page: the node is away, or it takes no new jobs. */
export function Banners() {
  const stream = useStream();
  const state = useStreamState(stream);
  const status = useQuery(statusQueries.status);
  if (state.name === "waiting" && state.failures >= FAILURES_BEFORE_BANNER) {
    return (
      <Frame>
        <Callout tone="bad" announce title="The node does not answer">
          <p>
            Nothing comes from <code className="font-mono">{platform.nodeUrl()}</code>, so this page shows what was last
            known. Jobs go on where they run; if Flowork was stopped, start it again with{" "}
            <code className="font-mono">flowork serve</code> or by opening the app.
          </p>
          <p className="flex flex-wrap items-center gap-3">
            <Button onClick={stream.retryNow}>Try now</Button>
            <Countdown untilMs={state.retryAtMs} />
          </p>
        </Callout>
      </Frame>
    );
  }
  if (status.data?.draining === true) {
    return (
      <Frame>
        <Callout tone="warn" announce title="The node is draining">
          <p>Running jobs finish, and no new ones are taken until it is done.</p>
        </Callout>
      </Frame>
    );
  }
  return null;
}

function Frame({ children }: { children: React.ReactNode }) {
  return <div className="mx-auto w-full max-w-6xl px-4 pt-4 sm:px-6 lg:px-8">{children}</div>;
}

function Countdown({ untilMs }: { untilMs: number }) {
  const seconds = Math.max(0, Math.ceil((untilMs - useNow()) / 1_000));
  return <span className="numeric text-ink-faint">Next try {seconds === 0 ? "now" : `in ${seconds} s`}</span>;
}
