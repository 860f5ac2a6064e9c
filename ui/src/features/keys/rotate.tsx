import { useState } from "react";

import type { TokenSet } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Choice } from "~/ui/choice";
import { Confirm } from "~/ui/dialog";

import { useRotateKeys } from "./actions";

interface AskRotateProps {
  /** Which keys; all without it. */
  set: TokenSet | undefined;
  what: string;
  onClose: () => void;
}

const HOW = [
  {
    value: "overlap",
    title: "Let the tokens of the old key end by themselves",
    detail: "Nobody notices.",
  },
  {
    value: "end",
    title: "End the tokens of the old key at once",
    detail: "If somebody else may have seen the key. Browsers and engines get new tokens by themselves; scripts need new ones.",
  },
] as const;

/** Asks before new keys are made. */
export function AskRotate({ set, what, onClose }: AskRotateProps) {
  const rotate = useRotateKeys();
  const [how, setHow] = useState<(typeof HOW)[number]["value"]>("overlap");
  return (
    <Confirm
      open
      onOpenChange={onClose}
      title={`Rotate ${what}?`}
      detail="From now on a new key signs."
      confirm="Rotate now"
      tone={how === "end" ? "danger" : "primary"}
      busy={rotate.isPending}
      problem={rotate.isError ? complaint(rotate.error) : undefined}
      onConfirm={() => rotate.mutate({ ...(set === undefined ? {} : { set }), end_old: how === "end" }, { onSuccess: onClose })}
    >
      <Choice label="Tokens that are out" value={how} onChange={setHow} options={HOW} />
    </Confirm>
  );
}
