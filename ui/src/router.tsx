import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";

import { NotFoundPage } from "~/features/app/not-found-page";
import { PageCrash } from "~/features/app/page-crash";
import { Frames } from "~/features/app/frames";
import { readAuditFilters } from "~/features/audit/search";
import { BatchPage } from "~/features/batches/page";
import { JobPage } from "~/features/jobs/detail/page";
import { JobsPage } from "~/features/jobs/list/page";
import { readCursor, readJobFilters, readPrefill } from "~/features/jobs/search";
import { OverviewPage } from "~/features/overview/page";
import { readSyncFilters } from "~/features/sync/search";
import { paths } from "~/paths";

const root = createRootRoute({ component: Frames, notFoundComponent: NotFoundPage });

const overview = createRoute({
  getParentRoute: () => root,
  path: paths.overview,
  component: OverviewPage,
});

const jobs = createRoute({
  getParentRoute: () => root,
  path: paths.jobs,
  validateSearch: readJobFilters,
  component: function Jobs() {
    return <JobsPage filters={jobs.useSearch()} />;
  },
});

const newJob = createRoute({
  getParentRoute: () => root,
  path: paths.newJob,
  validateSearch: readPrefill,
  component: lazyRouteComponent(() => import("~/features/jobs/new/page"), "NewJobPage"),
});

const job = createRoute({
  getParentRoute: () => root,
  path: paths.job,
  component: function OneJob() {
    const { jobId } = job.useParams();
    return <JobPage key={jobId} id={jobId} />;
  },
});

const batch = createRoute({
  getParentRoute: () => root,
  path: paths.batch,
  component: function OneBatch() {
    const { batchId } = batch.useParams();
    return <BatchPage key={batchId} id={batchId} />;
  },
});

const queues = createRoute({
  getParentRoute: () => root,
  path: paths.queues,
  component: lazyRouteComponent(() => import("~/features/queues/page"), "QueuesPage"),
});

const limits = createRoute({
  getParentRoute: () => root,
  path: paths.limits,
  component: lazyRouteComponent(() => import("~/features/limits/page"), "LimitsPage"),
});

const schedules = createRoute({
  getParentRoute: () => root,
  path: paths.schedules,
  validateSearch: readCursor,
  component: lazyRouteComponent(() => import("~/features/schedules/list/page"), "SchedulesPage"),
});

const newSchedule = createRoute({
  getParentRoute: () => root,
  path: paths.newSchedule,
  validateSearch: readPrefill,
  component: lazyRouteComponent(() => import("~/features/schedules/edit/page"), "NewSchedulePage"),
});

const schedule = createRoute({
  getParentRoute: () => root,
  path: paths.schedule,
  component: lazyRouteComponent(() => import("~/features/schedules/edit/page"), "SchedulePage"),
});

const sync = createRoute({
  getParentRoute: () => root,
  path: paths.sync,
  validateSearch: readSyncFilters,
  component: lazyRouteComponent(() => import("~/features/sync/list/route"), "SyncListRoutePage"),
});

const newSync = createRoute({
  getParentRoute: () => root,
  path: paths.newSync,
  component: lazyRouteComponent(() => import("~/features/sync/create/page"), "NewSyncPage"),
});

const syncSession = createRoute({
  getParentRoute: () => root,
  path: paths.syncSession,
  component: lazyRouteComponent(() => import("~/features/sync/session/page"), "SyncSessionRoutePage"),
});

const spectate = createRoute({
  getParentRoute: () => root,
  path: paths.spectate,
  component: lazyRouteComponent(() => import("~/features/sync/spectate/page"), "SpectateRoutePage"),
});

const engines = createRoute({
  getParentRoute: () => root,
  path: paths.engines,
  component: lazyRouteComponent(() => import("~/features/engines/page"), "EnginesPage"),
});

const kinds = createRoute({
  getParentRoute: () => root,
  path: paths.kinds,
  component: lazyRouteComponent(() => import("~/features/kinds/page"), "KindsPage"),
});

const members = createRoute({
  getParentRoute: () => root,
  path: paths.members,
  component: lazyRouteComponent(() => import("~/features/members/page"), "MembersPage"),
});

const member = createRoute({
  getParentRoute: () => root,
  path: paths.member,
  component: lazyRouteComponent(() => import("~/features/members/member-page"), "MemberRoutePage"),
});

const devices = createRoute({
  getParentRoute: () => root,
  path: paths.devices,
  component: lazyRouteComponent(() => import("~/features/devices/page"), "DevicesPage"),
});

const keys = createRoute({
  getParentRoute: () => root,
  path: paths.keys,
  component: lazyRouteComponent(() => import("~/features/keys/page"), "KeysPage"),
});

const adminTokens = createRoute({
  getParentRoute: () => root,
  path: paths.adminTokens,
  component: lazyRouteComponent(() => import("~/features/admin-tokens/page"), "AdminTokensPage"),
});

const audit = createRoute({
  getParentRoute: () => root,
  path: paths.audit,
  validateSearch: readAuditFilters,
  component: lazyRouteComponent(() => import("~/features/audit/page"), "AuditRoutePage"),
});

const status = createRoute({
  getParentRoute: () => root,
  path: paths.status,
  component: lazyRouteComponent(() => import("~/features/status/page"), "StatusPage"),
});

const apiDocs = createRoute({
  getParentRoute: () => root,
  path: paths.apiDocs,
  component: lazyRouteComponent(() => import("~/features/api-docs/page"), "ApiDocsPage"),
});

/** Every page and its address. */
export const router = createRouter({
  routeTree: root.addChildren([
    overview,
    jobs,
    newJob,
    job,
    batch,
    queues,
    limits,
    schedules,
    newSchedule,
    schedule,
    sync,
    newSync,
    syncSession,
    spectate,
    engines,
    kinds,
    members,
    member,
    devices,
    keys,
    adminTokens,
    audit,
    status,
    apiDocs,
  ]),
  defaultPreload: "intent",
  defaultErrorComponent: PageCrash,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
