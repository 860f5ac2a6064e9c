import { useState } from "react";

import type { Engine, EngineTokenState, RotatedEngineToken } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Button } from "~/ui/button";
import { Choice } from "~/ui/choice";
import { Confirm } from "~/ui/dialog";
import { Ago } from "~/ui/time";

import { useRevokeToken, useRotateToken } from "./actions";
import { ShownToken } from "./shown-token";

const GRACES = [
  { value: "86400", title: "A day", detail: "Time to put the new one in place without a break." },
  { value: "3600", title: "An hour", detail: "For when you are at it now." },
  { value: "0", title: "Not at all", detail: "If somebody else may have seen it. The engine stands still until it has the new one." },
] as const;

/** How the token of an engine stands. */
export function TokenWords({ token }: { token: EngineTokenState }) {
  if (!token.usable) {
    return (
      <>
        Revoked <Ago at={token.changed_at} />
      </>
    );
  }
  return (
    <>
      Made <Ago at={token.changed_at} />
      {token.old_ends_at && (
        <>
          ; the one before ends <Ago at={token.old_ends_at} />
        </>
      )}
    </>
  );
}

/** What the owner can do with the token of an engine elsewhere. */
export function TokenActions({ engine }: { engine: Engine }) {
  const [asking, setAsking] = useState<"rotate" | "revoke">();
  const close = () => setAsking(undefined);
  return (
    <div className="flex flex-wrap gap-2 border-t border-line pt-3">
      {engine.allowed_actions.includes("rotate_token") && (
        <Button aria-label={`Rotate token of ${engine.name}`} onClick={() => setAsking("rotate")}>
          Rotate token
        </Button>
      )}
      {engine.allowed_actions.includes("revoke_token") && (
        <Button tone="danger" aria-label={`Revoke token of ${engine.name}`} onClick={() => setAsking("revoke")}>
          Revoke token
        </Button>
      )}
      {asking === "rotate" && <Rotate engine={engine} onClose={close} />}
      {asking === "revoke" && <AskRevoke engine={engine} onClose={close} />}
    </div>
  );
}

function Rotate({ engine, onClose }: { engine: Engine; onClose: () => void }) {
  const rotate = useRotateToken(engine.id);
  const [grace, setGrace] = useState<(typeof GRACES)[number]["value"]>("86400");
  const [rotated, setRotated] = useState<RotatedEngineToken>();
  if (rotated !== undefined) {
    return (
      <ShownToken
        engineName={engine.name}
        token={rotated.token}
        oldEndsAt={rotated.old_token_ends_at ?? null}
        onSaved={onClose}
      />
    );
  }
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title={`Rotate the token of ${engine.name}?`}
      detail="It gets a new token, which is shown once."
      confirm="Rotate token"
      busy={rotate.isPending}
      problem={rotate.isError ? complaint(rotate.error) : undefined}
      onConfirm={() => rotate.mutate(Number(grace), { onSuccess: setRotated })}
    >
      <Choice label="For how long the old one works as well" value={grace} onChange={setGrace} options={GRACES} />
    </Confirm>
  );
}

function AskRevoke({ engine, onClose }: { engine: Engine; onClose: () => void }) {
  const revoke = useRevokeToken(engine.id);
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title={`Revoke the token of ${engine.name}?`}
      detail="It claims nothing more and brings nothing back, at once. What it runs is given to nobody else before its lease has ended. A new token lets it in again."
      confirm="Revoke token"
      tone="danger"
      busy={revoke.isPending}
      problem={revoke.isError ? complaint(revoke.error) : undefined}
      onConfirm={() => revoke.mutate(undefined, { onSuccess: onClose })}
    />
  );
}
