import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import { listAudit } from "~/api/access";
import type { AuditFilters } from "~/paths";

import { auditQuery } from "./search";

const ALL = ["audit"] as const;

export const auditQueries = {
  all: ALL,

  list: (filters: AuditFilters) =>
    queryOptions({
      queryKey: [...ALL, filters] as const,
      queryFn: ({ signal }) => listAudit(auditQuery(filters), signal),
      // No event tells of a change, so what is there is fetched whenever a page shows it.
      staleTime: 0,
      placeholderData: keepPreviousData,
    }),
};
