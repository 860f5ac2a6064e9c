import { useQuery } from "@tanstack/react-query";
import { Link, useRouter } from "@tanstack/react-router";
import { ExternalLink } from "lucide-react";
import { lazy, Suspense, useState } from "react";

import { useMay } from "~/features/app/rights";
import { memberQueries } from "~/features/members/queries";
import { statusQueries } from "~/features/status/queries";
import { paths } from "~/paths";
import { platform } from "~/platform";
import type { SyncState } from "~/sync/state";
import { Button, buttonClass } from "~/ui/button";
import { Callout } from "~/ui/callout";
import { CopyButton } from "~/ui/copy-button";
import { Modal } from "~/ui/dialog";
import { Section } from "~/ui/page";

import { isOfOneMachine } from "./reach";

const QrCode = lazy(() => import("~/ui/qr-code"));
const RemoteAccess = lazy(() => import("./remote-access"));

/** The link for those who only look on. */
export function Share({ state }: { state: SyncState }) {
  const router = useRouter();
  const params = { sessionId: state.session_id };
  const node = useQuery({ ...statusQueries.status, enabled: useMay("status") });
  // Whoever is at the node itself has an address of it that is of use to nobody else; the node may know a better one.
  const site = node.data?.public_url ?? platform.nodeUrl();
  return (
    <Section title="Share">
      <div className="space-y-3 text-[13px]">
        <p className="text-ink-soft">Whoever opens this link sees the clock on the whole screen and changes nothing.</p>
        {node.isLoading ? (
          <p className="animate-breathe text-ink-faint">Asking the node where it can be reached…</p>
        ) : (
          <SpectatorLink url={site + router.buildLocation({ to: paths.spectate, params }).href} />
        )}
        <Reach />
        {/* The app has one window: there the page opens in place, and has a way back. */}
        <Link to={paths.spectate} params={params} target={platform.desktop === undefined ? "_blank" : undefined} className={buttonClass("plain")}>
          <ExternalLink aria-hidden className="size-4" />
          Open spectator page
        </Link>
      </div>
    </Section>
  );
}

function SpectatorLink({ url }: { url: string }) {
  const [showsCode, setShowsCode] = useState(false);
  const isHere = isOfOneMachine(url);
  return (
    <>
      <div className="flex items-start justify-between gap-2 rounded-lg border border-line bg-sunken py-2 pr-1 pl-3">
        <output aria-label="Spectator link" className="min-w-0 font-mono text-[13px] [overflow-wrap:anywhere]">
          {url}
        </output>
        <CopyButton value={url} what="link" />
      </div>
      {isHere ? (
        <OnlyHere host={new URL(url).hostname} />
      ) : (
        <Button onClick={() => setShowsCode(!showsCode)} aria-expanded={showsCode}>
          {showsCode ? "Hide code" : "Show as a code"}
        </Button>
      )}
      {showsCode && !isHere && (
        <Suspense fallback={null}>
          <QrCode text={url} label="The spectator link as a QR code" />
        </Suspense>
      )}
    </>
  );
}

/** Why the link opens nothing on a phone, and what helps. */
function OnlyHere({ host }: { host: string }) {
  const [showsGuide, setShowsGuide] = useState(false);
  return (
    <Callout tone="warn" title="This link works on this machine only">
      <p>
        Every other device takes <code className="font-mono">{host}</code> for itself. Others can open the link once the node
        has an address that they can reach, and its settings name it.
      </p>
      <Button onClick={() => setShowsGuide(true)}>How to reach this node from elsewhere</Button>
      <Modal open={showsGuide} onOpenChange={setShowsGuide} title="How to reach this node from elsewhere" detail="docs/remote-access.md">
        <Suspense fallback={null}>
          <RemoteAccess />
        </Suspense>
      </Modal>
    </Callout>
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
