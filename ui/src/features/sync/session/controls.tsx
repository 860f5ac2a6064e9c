import { useNavigate } from "@tanstack/react-router";
import { useEffect, useEffectEvent, useState } from "react";

import { paths } from "~/paths";
import type { SessionAction, SyncState } from "~/sync/state";
import { Button, type ButtonTone } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Confirm } from "~/ui/dialog";

import { syncComplaint, useChangeSync, useDeleteSync } from "../actions";
import { titleOf } from "../names";
import { ACTIONS } from "../words";

/** What is asked about before it is done: nobody can take it back. */
type Asked = "complete" | "cancel" | "delete";

const QUESTIONS: Record<Asked, { title: string; detail: string; confirm: string; tone: ButtonTone }> = {
  complete: {
    title: "Complete this session?",
    detail: "The open turn is charged, and the clock stops for everybody. It can't be started again.",
    confirm: "Complete session",
    tone: "primary",
  },
  cancel: {
    title: "Cancel this session?",
    detail: "The clock stops for everybody, and the session counts as called off. It can't be started again.",
    confirm: "Cancel session",
    tone: "danger",
  },
  delete: {
    title: "Delete this session?",
    detail: "It is gone for everybody who looks at it now. Its history stays in the audit.",
    confirm: "Delete session",
    tone: "danger",
  },
};

/** The buttons that change a session. Each sends the version that is shown, so that nobody acts on what they have not seen. */
export function Controls({ state }: { state: SyncState }) {
  const change = useChangeSync(state.session_id);
  const [asked, setAsked] = useState<Asked>();
  const allows = (action: SessionAction) => state.allowed_actions.includes(action);

  // A press while the one before is on its way is dropped and not kept for later. The button stays usable all the same,
  // because one that is switched off loses the keyboard.
  function act(action: SessionAction) {
    if (!change.isPending) change.mutate({ name: "act", action, seen: state });
  }

  useSpace(allows("switch") && asked === undefined, () => act("switch"));

  const offered = (["start", "switch", "resume", "pause"] as const).filter(allows);
  return (
    <div className="space-y-4">
      <div className="flex flex-wrap items-center justify-center gap-2">
        {offered.map((action, index) => (
          <Button
            key={action}
            tone={index === 0 ? "primary" : "plain"}
            className={index === 0 ? "min-h-12 px-8 text-base" : "min-h-12 px-5"}
            aria-keyshortcuts={action === "switch" ? "Space" : undefined}
            onClick={() => act(action)}
          >
            {ACTIONS[action]}
          </Button>
        ))}
      </div>
      {allows("switch") && (
        <p className="text-center text-[13px] text-ink-faint">
          Press <kbd className="rounded border border-line-strong bg-sunken px-1.5 py-0.5 font-mono text-xs">Space</kbd> to switch
        </p>
      )}
      {change.isError && asked === undefined && <ErrorCallout problem={syncComplaint(change.error)} />}
      <div className="flex flex-wrap items-center justify-center gap-2">
        {allows("complete") && <Button onClick={() => setAsked("complete")}>{ACTIONS.complete}</Button>}
        {allows("cancel") && <Button onClick={() => setAsked("cancel")}>{ACTIONS.cancel}</Button>}
        <Button tone="danger" onClick={() => setAsked("delete")}>
          Delete
        </Button>
      </div>
      {asked !== undefined && <Ask asked={asked} state={state} onClose={() => setAsked(undefined)} />}
    </div>
  );
}

function Ask({ asked, state, onClose }: { asked: Asked; state: SyncState; onClose: () => void }) {
  const navigate = useNavigate();
  const change = useChangeSync(state.session_id);
  const remove = useDeleteSync();
  const { detail, ...question } = QUESTIONS[asked];
  const error = asked === "delete" ? remove.error : change.error;

  function confirm() {
    if (asked === "delete") remove.mutate(state, { onSuccess: () => void navigate({ to: paths.sync }) });
    else change.mutate({ name: "act", action: asked, seen: state }, { onSuccess: onClose });
  }

  return (
    <Confirm
      open
      onOpenChange={(open) => !open && onClose()}
      {...question}
      detail={`${titleOf(state)}: ${detail}`}
      busy={change.isPending || remove.isPending}
      problem={error === null ? undefined : syncComplaint(error)}
      onConfirm={confirm}
    />
  );
}

/** Calls back on the space bar, unless the focus is on something that has a use for it. */
function useSpace(isOn: boolean, onSpace: () => void) {
  const press = useEffectEvent((event: KeyboardEvent) => {
    if (event.key !== " " || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof Element && event.target.closest("a, button, input, select, textarea, summary, [role=dialog]")) return;
    event.preventDefault();
    // A key that is held down is one press.
    if (!event.repeat) onSpace();
  });
  useEffect(() => {
    if (!isOn) return;
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [isOn]);
}
