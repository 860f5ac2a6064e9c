import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { vi } from "vitest";

import { createEventStream } from "~/api/events/stream";
import { StreamContext } from "~/features/app/stream-context";

/** Shows a part of the GUI as on a page of its own: with a query cache, a router that takes every link, and a stream at rest. */
export function renderPart(part: ReactNode, queries = new QueryClient({ defaultOptions: { queries: { retry: false } } })) {
  const root = createRootRoute();
  const here = createRoute({ getParentRoute: () => root, path: "/", component: () => part });
  const elsewhere = createRoute({ getParentRoute: () => root, path: "$", component: () => <h1>Another page</h1> });
  const router = createRouter({
    routeTree: root.addChildren([here, elsewhere]),
    history: createMemoryHistory({ initialEntries: ["/"] }),
  });
  const stream = createEventStream({
    open: () => Promise.reject(new Error("no stream in tests")),
    onEvent: vi.fn(),
    onOpen: vi.fn(),
    now: () => 0,
  });
  return render(
    <QueryClientProvider client={queries}>
      <StreamContext value={stream}>
        <RouterProvider router={router} />
      </StreamContext>
    </QueryClientProvider>,
  );
}
