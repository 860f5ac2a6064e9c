import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { ApiError } from "~/api/error";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";

import { complaint } from "./complaint";

interface LoadedProps<Data> {
  query: UseQueryResult<Data>;
  /** What is loading, for the words in between. */
  what: string;
  children: (data: Data) => ReactNode;
}

/** What a query gave, or that it is on its way, or why it failed and a way to try again. */
export function Loaded<Data>({ query, what, children }: LoadedProps<Data>) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) {
    return (
      <ErrorCallout problem={complaint(query.error)}>
        {!isForbidden(query.error) && (
          <Button onClick={() => void query.refetch()} busy={query.isFetching}>
            Try again
          </Button>
        )}
      </ErrorCallout>
    );
  }
  return <p className="animate-breathe py-10 text-center text-ink-faint">Loading {what}…</p>;
}

/** The same person gets the same answer, however often they ask. */
function isForbidden(error: Error): boolean {
  return error instanceof ApiError && error.status === 403;
}
