import type { SessionStatus } from "~/sync/state";
import { Pill } from "~/ui/pill";

import { statusLook } from "./words";

export function StatusPill({ status }: { status: SessionStatus }) {
  const { title, tone, icon } = statusLook(status);
  return (
    <Pill tone={tone} icon={icon}>
      {title}
    </Pill>
  );
}
