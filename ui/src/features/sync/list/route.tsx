import { getRouteApi } from "@tanstack/react-router";

import { paths } from "~/paths";

import { SyncListPage } from "./page";

const route = getRouteApi(paths.sync);

/** The list, narrowed as the address says. */
export function SyncListRoutePage() {
  return <SyncListPage filters={route.useSearch()} />;
}
