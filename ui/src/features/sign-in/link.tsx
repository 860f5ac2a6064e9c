import { Link2 } from "lucide-react";

import { platform } from "~/platform";
import { CopyButton } from "~/ui/copy-button";

import { Way } from "./way";

/** The way that needs nothing but somebody who is in already. */
export function LinkWay() {
  return (
    <Way title="With a link" icon={Link2}>
      <p>On the machine that runs Flowork, in a terminal:</p>
      <div className="flex items-center justify-between gap-2 rounded-lg border border-line bg-sunken py-1 pr-1 pl-3">
        <code className="font-mono text-[13px]">flowork link</code>
        <CopyButton value="flowork link" what="the command" />
      </div>
      <p>
        Open what it prints in this browser. It works once and for ten minutes
        {platform.isSecure && ", and makes a key that stays in this browser"}.
        The owner can make you a link too, under Members. The window of the desktop app is signed in by itself.
      </p>
    </Way>
  );
}
