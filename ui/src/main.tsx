import "./styles.css";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { session } from "~/api/client";
import { NodeUnreachable } from "~/api/error";
import { StreamContext } from "~/features/app/stream-context";
import { startTheme } from "~/features/app/theme";
import { followNode } from "~/features/live/live";
import { router } from "~/router";

startTheme();
// First of all: it takes the code out of the address bar.
void session.start();

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // The event stream says what is old; time alone makes nothing so.
      staleTime: Infinity,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      // Loopback works without a network.
      networkMode: "always",
      retry: (failures, error) => error instanceof NodeUnreachable && failures < 1,
    },
    mutations: { networkMode: "always" },
  },
});
const stream = followNode(queries);

router.subscribe("onResolved", ({ pathChanged, fromLocation }) => {
  // A new page starts at its beginning for the keyboard and for a screen reader too.
  if (pathChanged && fromLocation !== undefined) document.getElementById("main")?.focus({ preventScroll: true });
});

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root.");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <StreamContext value={stream}>
        <RouterProvider router={router} />
      </StreamContext>
    </QueryClientProvider>
  </StrictMode>,
);
