import { useQuery } from "@tanstack/react-query";
import { Link, useRouter } from "@tanstack/react-router";
import { ExternalLink } from "lucide-react";
import { lazy, Suspense, useState } from "react";

import { useMay } from "~/features/app/rights";
import { memberQueries } from "~/features/members/queries";
import { paths } from "~/paths";
import { platform } from "~/platform";
import type { SyncState } from "~/sync/state";
import { Button, buttonClass } from "~/ui/button";
import { CopyButton } from "~/ui/copy-button";
import { Section } from "~/ui/page";

const QrCode = lazy(() => import("~/ui/qr-code"));

/** The link for those who only look on. */
export function Share({ state }: { state: SyncState }) {
  const router = useRouter();
  const [showsCode, setShowsCode] = useState(false);
  const params = { sessionId: state.session_id };
  const url = platform.nodeUrl() + router.buildLocation({ to: paths.spectate, params }).href;
  return (
    <Section title="Share">
      <div className="space-y-3 text-[13px]">
        <p className="text-ink-soft">Whoever opens this link sees the clock on the whole screen and changes nothing.</p>
        <div className="flex items-start justify-between gap-2 rounded-lg border border-line bg-sunken py-2 pr-1 pl-3">
          <output aria-label="Spectator link" className="min-w-0 font-mono text-[13px] [overflow-wrap:anywhere]">
            {url}
          </output>
          <CopyButton value={url} what="link" />
        </div>
        <Reach />
        <div className="flex flex-wrap gap-2">
          <Link to={paths.spectate} params={params} target="_blank" className={buttonClass("plain")}>
            <ExternalLink aria-hidden className="size-4" />
            Open spectator page
          </Link>
          <Button onClick={() => setShowsCode(!showsCode)} aria-expanded={showsCode}>
            {showsCode ? "Hide code" : "Show as a code"}
          </Button>
        </div>
        {showsCode && (
          <Suspense fallback={null}>
            <QrCode text={url} label="The spectator link as a QR code" />
          </Suspense>
        )}
      </div>
    </Section>
  );
}

/** For whom the link works. Only who may change that can see how it is. */
function Reach() {
  const knows = useMay("members_write");
  const guests = useQuery({ ...memberQueries.guests, enabled: knows });
  if (!knows || guests.data === undefined) {
    return <p className="text-ink-faint">Guests can follow it if the owner of this node has opened sync sessions to them.</p>;
  }
  if (guests.data.enabled && guests.data.open.includes("sessions")) {
    return <p className="text-ink-faint">Sync sessions are open to guests: the link works for everybody who reaches this node.</p>;
  }
  return (
    <p className="text-ink-faint">
      Only members can follow it: sync sessions are not open to guests.{" "}
      <Link to={paths.members} className="text-accent underline">
        Open them to guests
      </Link>
    </p>
  );
}
