import { AppWindow } from "lucide-react";

import { session } from "~/api/client";
import { Button } from "~/ui/button";

import { Way } from "./way";

/** The way of the window of the desktop app, which keeps the owner's key. */
export function DesktopWay() {
  return (
    <Way title="With this app" icon={AppWindow}>
      <p>The app signs this window in as the owner of the node, with the key that this computer's vault keeps.</p>
      <Button tone="primary" onClick={() => session.signInByApp()}>
        Sign in
      </Button>
    </Way>
  );
}
