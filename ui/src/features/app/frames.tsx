import { Outlet, useRouterState } from "@tanstack/react-router";

import { paths } from "~/paths";

import { Shell } from "./shell";

/** Every page within the app's frame, but for those that fill the screen with what they show. */
export function Frames() {
  const isBare = useRouterState({ select: ({ matches }) => matches.some(({ routeId }) => routeId === paths.spectate) });
  return isBare ? <Outlet /> : <Shell />;
}
