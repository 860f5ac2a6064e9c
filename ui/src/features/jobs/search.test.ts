import { createMemoryHistory, createRootRoute, createRoute, createRouter } from "@tanstack/react-router";
import { describe, expect, it } from "vitest";

import { type JobFilters, paths } from "~/paths";

import { readJobFilters, readPrefill } from "./search";

describe("the filters of the list", () => {
  it("come back from the URL as they went in, also where they look like numbers", async () => {
    const filters: JobFilters = { state: "failed", kind: "module.csv-profile", queue: "7", tag: "true", cursor: "a/b=" };
    const root = createRootRoute();
    const jobs = createRoute({ getParentRoute: () => root, path: paths.jobs, validateSearch: readJobFilters });
    const history = createMemoryHistory({ initialEntries: ["/jobs"] });
    const router = createRouter({ routeTree: root.addChildren([jobs]), history });
    await router.navigate({ to: paths.jobs, search: filters });
    const reopened = createRouter({
      routeTree: root.addChildren([jobs]),
      history: createMemoryHistory({ initialEntries: [history.location.href] }),
    });
    await reopened.load();
    expect(reopened.state.location.search).toEqual(filters);
  });

  it("leave out what makes no sense and read what was typed by hand", () => {
    const cases: [Record<string, unknown>, JobFilters][] = [
      [{ state: "unheard", kind: "" }, {}],
      [{ tag: 2026, queue: "  " }, { tag: "2026" }],
      [{ state: "leased", other: "x" }, { state: "leased" }],
    ];
    for (const [search, filters] of cases) expect(readJobFilters(search)).toEqual(filters);
  });
});

describe("a link to the form", () => {
  it("fills in a kind and a payload that is an object", () => {
    expect(readPrefill({ kind: "sleep", payload: { duration_ms: 1 } })).toEqual({ kind: "sleep", payload: { duration_ms: 1 } });
    expect(readPrefill({ kind: "sleep", payload: "x" })).toEqual({ kind: "sleep" });
  });
});
