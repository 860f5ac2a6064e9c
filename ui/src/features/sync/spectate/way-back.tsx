import { Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";

import { paths } from "~/paths";
import { platform } from "~/platform";
import { buttonClass } from "~/ui/button";

/** The way out of a page without a menu, in the window of the desktop app, which has neither tabs nor a button to go back. */
export function WayBack({ id }: { id?: string }) {
  if (platform.desktop === undefined) return null;
  const className = buttonClass("quiet", "-ml-3 self-start");
  if (id === undefined) {
    return (
      <Link to={paths.sync} className={className}>
        <ArrowLeft aria-hidden className="size-4" />
        All live sessions
      </Link>
    );
  }
  return (
    <Link to={paths.syncSession} params={{ sessionId: id }} className={className}>
      <ArrowLeft aria-hidden className="size-4" />
      Back to the session
    </Link>
  );
}
