import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";

import { NotFoundPage } from "~/features/app/not-found-page";
import { PageCrash } from "~/features/app/page-crash";
import { Shell } from "~/features/app/shell";
import { JobPage } from "~/features/jobs/detail/page";
import { JobsPage } from "~/features/jobs/list/page";
import { readJobFilters, readPrefill } from "~/features/jobs/search";
import { paths } from "~/paths";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFoundPage });

const home = createRoute({
  getParentRoute: () => root,
  path: paths.home,
  beforeLoad: () => {
    throw redirect({ to: paths.jobs });
  },
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
  routeTree: root.addChildren([home, jobs, newJob, job, engines, kinds, status, apiDocs]),
  defaultPreload: "intent",
  defaultErrorComponent: PageCrash,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
