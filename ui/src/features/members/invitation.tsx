import { lazy, Suspense, useState } from "react";

import type { Member, PairingLink } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { useNow } from "~/ui/clock";
import { Confirm, ShownOnce } from "~/ui/dialog";
import { formatDuration } from "~/ui/duration";
import { SecretField } from "~/ui/secret-field";

import { useInvite } from "./actions";

const QrCode = lazy(() => import("~/ui/qr-code"));

/** Makes a link that signs one browser in as a member, and shows it once. */
export function Invitation({ member, onClose }: { member: Member; onClose: () => void }) {
  const invite = useInvite(member.subject);
  const [link, setLink] = useState<PairingLink>();
  if (link !== undefined) return <Shown member={member} link={link} onClose={onClose} />;
  return (
    <Confirm
      open
      onOpenChange={(open) => !open && onClose()}
      title={`Make a link for ${member.name}?`}
      detail={`Whoever opens it first is signed in as ${member.name}, in that browser, until you end the session or take its key away. It works once and for ten minutes.`}
      confirm="Make link"
      busy={invite.isPending}
      problem={invite.isError ? complaint(invite.error) : undefined}
      onConfirm={() => invite.mutate(undefined, { onSuccess: setLink })}
    />
  );
}

function Shown({ member, link, onClose }: { member: Member; link: PairingLink; onClose: () => void }) {
  return (
    <ShownOnce
      title={`A link for ${member.name}`}
      detail="Send it on a way that only they can read, or have them point the camera of their phone at the code. It is not shown again."
      onSaved={onClose}
    >
      <SecretField value={link.url} label="Link" />
      <Suspense fallback={null}>
        <QrCode text={link.url} label={`The link for ${member.name} as a QR code`} />
      </Suspense>
      <Remaining until={link.expires_at} />
    </ShownOnce>
  );
}

function Remaining({ until }: { until: string }) {
  const leftMs = Date.parse(until) - useNow();
  return <p className="numeric text-[13px] text-ink-soft">{leftMs <= 0 ? "It works no more." : `It works for another ${formatDuration(leftMs)}.`}</p>;
}
