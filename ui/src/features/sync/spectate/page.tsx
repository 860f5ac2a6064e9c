import { useMutation } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";

import { session as signIn } from "~/api/client";
import { ApiError } from "~/api/error";
import type { SessionState } from "~/api/session";
import { complaint } from "~/features/app/complaint";
import { may } from "~/features/app/rights";
import { useSession } from "~/features/app/session";
import { SignInPage } from "~/features/sign-in/page";
import { paths } from "~/paths";
import { Button } from "~/ui/button";
import { Callout, ErrorCallout } from "~/ui/callout";
import { Logo } from "~/ui/logo";

import { Door } from "./door";
import { Screen } from "./screen";

const route = getRouteApi(paths.spectate);

/** The session that the address names, for those who look on. */
export function SpectateRoutePage() {
  const { sessionId } = route.useParams();
  return <SpectatePage key={sessionId} id={sessionId} />;
}

/** A session on the whole screen, read-only; whoever is not signed in can come in as a guest. */
export function SpectatePage({ id }: { id: string }) {
  const session = useSession();
  switch (session.name) {
    case "starting":
      return (
        <Door title="Opening…">
          <Logo className="size-8 animate-breathe text-accent" />
        </Door>
      );
    case "unreachable":
      return <SignInPage session={session} />;
    case "signed_out":
      return <Enter session={session} />;
    case "signed_in":
      return may(session.me, "sessions_read") ? <Screen id={id} /> : <Closed isGuest={session.me.role === "guest"} />;
  }
}

/** The way in for somebody who only has the link. */
function Enter({ session }: { session: Extract<SessionState, { name: "signed_out" }> }) {
  const [isMember, setIsMember] = useState(false);
  const enter = useMutation({ mutationFn: () => signIn.signInAsGuest() });
  const isClosed = enter.error instanceof ApiError && enter.error.status === 403;
  // The address stays, so that whoever is signed in then sees the clock.
  if (isMember) return <SignInPage session={session} />;
  return (
    <Door title="A live session is shared with you">
      <p className="text-ink-soft">You can look on as a guest. You see the clock and change nothing.</p>
      {enter.isError && (
        <ErrorCallout problem={isClosed ? { ...complaint(enter.error), title: "This node lets no guests in" } : complaint(enter.error)}>
          {isClosed && <p>Ask whoever sent you the link to let guests in, or to make you a member.</p>}
        </ErrorCallout>
      )}
      <div className="flex flex-wrap gap-2">
        <Button tone="primary" busy={enter.isPending} onClick={() => enter.mutate()} className="min-h-12 px-6">
          Look on as a guest
        </Button>
        <Button onClick={() => setIsMember(true)} className="min-h-12 px-6">
          Sign in as a member
        </Button>
      </div>
    </Door>
  );
}

function Closed({ isGuest }: { isGuest: boolean }) {
  return (
    <Door title="You can't see this session">
      <Callout tone="warn" announce title={isGuest ? "Sync sessions are not open to guests here" : "Your role may not see sync sessions"}>
        <p>
          {isGuest
            ? "Ask the owner of this node to open sync sessions to guests, under Members, or sign in as a member."
            : "Ask the owner of this node for another role."}
        </p>
        <div className="flex flex-wrap gap-2">
          <Button onClick={() => location.reload()}>Try again</Button>
          <Button onClick={() => void signIn.signOut()}>Sign in otherwise</Button>
        </div>
      </Callout>
    </Door>
  );
}
