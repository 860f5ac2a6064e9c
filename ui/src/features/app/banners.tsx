import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { useStreamState } from "~/features/live/live";
import { drainQueries } from "~/features/drain/queries";
import { leftWords } from "~/features/drain/words";
import { statusQueries } from "~/features/status/queries";
import { isRecovery } from "~/features/status/recovery";
import { paths } from "~/paths";
import { platform } from "~/platform";
import { Button } from "~/ui/button";
import { Callout, Hint } from "~/ui/callout";
import { useNow } from "~/ui/clock";

import { useMay } from "./rights";
import { useStream } from "./stream-context";

/** A single failure is mostly a restart; from the second on a person should know. */
const FAILURES_BEFORE_BANNER = 2;

/** What matters on every page: the node is away, it was started to be looked at only, or it takes no new jobs. */
export function Banners() {
  const stream = useStream();
  const state = useStreamState(stream);
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
  return (
    <>
      <Recovery />
      <Draining />
    </>
  );
}

function Recovery() {
  const status = useQuery({ ...statusQueries.status, enabled: useMay("status") });
  const notice = status.data?.notices.find(isRecovery);
  if (notice === undefined) return null;
  return (
    <Frame>
      <Callout tone="warn" announce title={notice.message}>
        {notice.hint && <Hint>{notice.hint}</Hint>}
        {platform.desktop !== undefined && <Button onClick={platform.desktop.openSettings}>App settings</Button>}
      </Callout>
    </Frame>
  );
}

function Draining() {
  const { data: drain } = useQuery({ ...drainQueries.state, enabled: useMay("read") });
  if (drain?.on !== true) return null;
  return (
    <Frame>
      <Callout tone="warn" announce title="The node is draining">
        <p>
          {leftWords(drain.running)} Nothing new starts or is taken. {drain.reason && `Why: ${drain.reason}. `}
          {drain.allowed_actions.length > 0 && (
            <Link to={paths.queues} className="underline underline-offset-2 hover:text-accent">
              Change it under Queues
            </Link>
          )}
        </p>
      </Callout>
    </Frame>
  );
}

function Frame({ children }: { children: React.ReactNode }) {
  return <div className="mx-auto w-full max-w-6xl px-4 pt-4 sm:px-6 lg:px-8">{children}</div>;
}

function Countdown({ untilMs }: { untilMs: number }) {
  const seconds = Math.max(0, Math.ceil((untilMs - useNow()) / 1_000));
  return <span className="numeric text-ink-faint">Next try {seconds === 0 ? "now" : `in ${seconds} s`}</span>;
}
