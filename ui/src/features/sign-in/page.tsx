import type { ReactNode } from "react";

import { session as signIn } from "~/api/client";
import type { SessionState, SignedOutReason } from "~/api/session";
import { platform } from "~/platform";
import { Button } from "~/ui/button";
import { Callout, Hint } from "~/ui/callout";
import { CopyButton } from "~/ui/copy-button";
import { Logo } from "~/ui/logo";

const TITLES: Record<SignedOutReason, string> = {
  no_link: "Sign in to this node",
  link_spent: "This link no longer works",
  ended: "Your session has ended",
  signed_out: "You are signed out",
};

const EXPLANATIONS: Record<SignedOutReason, string> = {
  no_link: "Flowork has no passwords. You sign in by opening a link that only the machine it runs on can make.",
  link_spent: "A link signs in one browser, once, within ten minutes. This one was used before, or is too old.",
  ended: "It was idle for a month, ended elsewhere, or its key was used twice. A new link starts a new one.",
  signed_out: "This browser has forgotten its key. A new link brings you back.",
};

/** What somebody sees who is not signed in: why, and the way in. */
export function SignInPage({ session }: { session: Extract<SessionState, { name: "signed_out" | "unreachable" }> }) {
  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-lg flex-col justify-center gap-6 px-5 py-10">
      <title>Sign in · Flowork</title>
      <p className="flex items-center gap-3 text-lg font-semibold tracking-tight">
        <Logo className="size-8 text-accent" />
        Flowork
      </p>
      {session.name === "unreachable" ? <Unreachable /> : <WayIn session={session} />}
    </main>
  );
}

function Unreachable() {
  return (
    <>
      <h1 className="text-2xl font-semibold">The node does not answer</h1>
      <Callout tone="warn" announce title={<>Nothing comes from {platform.nodeUrl()}</>}>
        <p>
          Start it again with <code className="font-mono">flowork serve</code>, or by opening the app. This page goes on by
          itself once the node is back.
        </p>
        <Button onClick={() => void signIn.start()}>Try now</Button>
      </Callout>
    </>
  );
}

function WayIn({ session }: { session: Extract<SessionState, { name: "signed_out" }> }) {
  return (
    <>
      <div className="space-y-2">
        <h1 className="text-2xl font-semibold">{TITLES[session.reason]}</h1>
        <p className="text-ink-soft">{EXPLANATIONS[session.reason]}</p>
      </div>
      {session.said !== undefined && (
        <Callout tone="bad" announce title={session.said.message}>
          {session.said.hint !== undefined && <Hint>{session.said.hint}</Hint>}
        </Callout>
      )}
      <ol className="space-y-4">
        <Step number={1} title="On the machine that runs Flowork, get a link">
          <p>In a terminal:</p>
          <div className="mt-1.5 flex items-center justify-between gap-2 rounded-lg border border-line bg-sunken py-1 pr-1 pl-3">
            <code className="font-mono text-[13px]">flowork link</code>
            <CopyButton value="flowork link" what="the command" />
          </div>
          <p className="mt-1.5">With the desktop app, open it again from there; its window is signed in by itself.</p>
        </Step>
        <Step number={2} title="Open the link in this browser">
          <p>It works once and for ten minutes. After that this browser stays signed in.</p>
        </Step>
      </ol>
    </>
  );
}

function Step({ number, title, children }: { number: number; title: string; children: ReactNode }) {
  return (
    <li className="flex gap-4 rounded-xl border border-line bg-panel p-4">
      <span
        aria-hidden
        className="flex size-6 shrink-0 items-center justify-center rounded-full bg-accent-soft text-xs font-semibold text-accent"
      >
        {number}
      </span>
      <div className="min-w-0 flex-1 space-y-1">
        <h2 className="font-medium">{title}</h2>
        <div className="text-ink-soft">{children}</div>
      </div>
    </li>
  );
}
