import { session as signIn } from "~/api/client";
import type { SessionState, SignedOutReason } from "~/api/session";
import { complaint } from "~/features/app/complaint";
import { platform } from "~/platform";
import { Button } from "~/ui/button";
import { Callout, ErrorCallout } from "~/ui/callout";
import { Logo } from "~/ui/logo";

import { DesktopWay } from "./desktop";
import { DeviceKeyWay } from "./device-key";
import { GuestWay } from "./guest";
import { LinkWay } from "./link";
import { PlainHttpNote } from "./plain-http";
import { WalletWay } from "./wallet";

const TITLES: Record<SignedOutReason, string> = {
  no_link: "Sign in to this node",
  link_spent: "This link no longer works",
  key_refused: "The node does not know this browser any more",
  ended: "Your session has ended",
  signed_out: "You are signed out",
  app_silent: "The app could not sign you in",
};

const EXPLANATIONS: Record<SignedOutReason, string> = {
  no_link: "Flowork has no passwords. You prove who you are with a key: one that this browser keeps, or one in your wallet.",
  link_spent: "A link signs in one browser, once, within ten minutes. This one was used before, or is too old.",
  key_refused: "Somebody took this browser's key off the list of members, or keeps its member out.",
  ended: "It was idle for a month, ended elsewhere, or its key was used twice. Sign in to start a new one.",
  signed_out: "This browser has forgotten its key. A link or your wallet brings you back.",
  app_silent: "It made no link for this window. The node may be another one than the app's, or still be starting.",
};

/** What is otherwise in the window of the desktop app. */
const EXPLANATIONS_IN_APP: Partial<Record<SignedOutReason, string>> = {
  no_link: "Flowork has no passwords. The app keeps the key of this node's owner and signs you in with it.",
  link_spent: "The node did not take the link that the app made. Have the app make another.",
  key_refused: "Have the app sign you in with the key that it keeps.",
  signed_out: "The app signs you in again when you want it to.",
};

/** What somebody sees who is not signed in: why, and the ways in. */
export function SignInPage({ session }: { session: Extract<SessionState, { name: "signed_out" | "unreachable" }> }) {
  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-lg flex-col justify-center gap-6 px-5 py-10">
      <title>Sign in · Flowork</title>
      <p className="flex items-center gap-3 text-lg font-semibold tracking-tight">
        <Logo className="size-8 text-accent" />
        Flowork
      </p>
      {session.name === "unreachable" ? <Unreachable session={session} /> : <WaysIn session={session} />}
    </main>
  );
}

function Unreachable({ session }: { session: Extract<SessionState, { name: "unreachable" }> }) {
  const retry = <Button onClick={() => void signIn.start()}>Try now</Button>;
  if (session.said !== undefined) {
    return (
      <>
        <h1 className="text-2xl font-semibold">The node lets nobody in right now</h1>
        <ErrorCallout problem={complaint(session.said)}>
          <p>This page goes on by itself.</p>
          {retry}
        </ErrorCallout>
      </>
    );
  }
  return (
    <>
      <h1 className="text-2xl font-semibold">The node does not answer</h1>
      <Callout tone="warn" announce title={<>Nothing comes from {platform.nodeUrl()}</>}>
        <p>
          Start it again with <code className="font-mono">flowork serve</code>, or by opening the app. This page goes on by
          itself once the node is back.
        </p>
        {retry}
      </Callout>
    </>
  );
}

function explanation(reason: SignedOutReason): string {
  const inApp = platform.desktop === undefined ? undefined : EXPLANATIONS_IN_APP[reason];
  return inApp ?? EXPLANATIONS[reason];
}

function WaysIn({ session }: { session: Extract<SessionState, { name: "signed_out" }> }) {
  return (
    <>
      <div className="space-y-2">
        <h1 className="text-2xl font-semibold">{TITLES[session.reason]}</h1>
        <p className="text-ink-soft">{explanation(session.reason)}</p>
      </div>
      {session.said !== undefined && <ErrorCallout problem={complaint(session.said)} />}
      <PlainHttpNote />
      <div className="space-y-4">
        {platform.desktop === undefined ? (
          <>
            <DeviceKeyWay />
            <LinkWay />
            <WalletWay />
          </>
        ) : (
          <DesktopWay />
        )}
        <GuestWay />
      </div>
    </>
  );
}
