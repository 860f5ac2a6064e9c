import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import clsx from "clsx";
import { Download, ScrollText, SearchX } from "lucide-react";

import { exportAudit } from "~/api/access";
import { complaint } from "~/features/app/complaint";
import { Loaded } from "~/features/app/loaded";
import { memberQueries } from "~/features/members/queries";
import { type AuditFilters, paths } from "~/paths";
import { platform } from "~/platform";
import { Button, buttonClass } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { EmptyState } from "~/ui/empty-state";
import { Page } from "~/ui/page";

import { Entry } from "./entry";
import { Filters } from "./filters";
import { auditQueries } from "./queries";
import { auditQuery, narrows } from "./search";
import { VerifySection } from "./verify";

const EXPORT_NAME = "flowork-audit.jsonl";

const route = getRouteApi(paths.audit);

/** The log, narrowed as the address says. */
export function AuditRoutePage() {
  return <AuditPage filters={route.useSearch()} />;
}

/** Who did what to this node. */
export function AuditPage({ filters }: { filters: AuditFilters }) {
  const list = useQuery(auditQueries.list(filters));
  const members = useQuery(memberQueries.list);
  const nameOf = (subject: string) => members.data?.items.find((member) => member.subject === subject)?.name ?? subject;
  const save = useMutation({
    mutationFn: () => exportAudit(auditQuery({ ...filters, cursor: undefined })),
    onSuccess: (file) => platform.saveFile(EXPORT_NAME, file),
  });
  return (
    <Page
      title="Audit"
      detail="Who signed in, and what was changed about members, keys, engines and the node. Each entry is chained to the one before, so that nothing can be changed or taken out unnoticed."
      actions={
        list.data !== undefined && (
          <Button busy={save.isPending} onClick={() => save.mutate()}>
            <Download aria-hidden className="size-4" />
            {narrows(filters) ? "Export what matches" : "Export"}
          </Button>
        )
      }
    >
      <div className="space-y-4">
        {save.isError && <ErrorCallout problem={complaint(save.error)} />}
        {list.data !== undefined && <VerifySection />}
        <Filters filters={filters} />
        <section
          aria-label="Entries"
          aria-busy={list.isPlaceholderData}
          className={clsx("overflow-hidden rounded-xl border border-line bg-panel", list.isPlaceholderData && "opacity-60")}
        >
          <Loaded query={list} what="the log">
            {({ items, next_cursor: next }) => (
              <>
                {items.length === 0 ? (
                  <Nothing filters={filters} hasMore={Boolean(next)} />
                ) : (
                  <ul>
                    {items.map((entry) => (
                      <Entry key={entry.seq} entry={entry} nameOf={nameOf} />
                    ))}
                  </ul>
                )}
                <Pages filters={filters} next={next ?? undefined} />
              </>
            )}
          </Loaded>
        </section>
      </div>
    </Page>
  );
}

function Nothing({ filters, hasMore }: { filters: AuditFilters; hasMore: boolean }) {
  if (hasMore) {
    return (
      <EmptyState icon={SearchX} title="Nothing matches so far">
        The log goes on: look among older entries.
      </EmptyState>
    );
  }
  if (narrows(filters)) {
    return (
      <EmptyState icon={SearchX} title="No entry matches these filters">
        Clear some of them to see more.
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={ScrollText} title="No entries">
      Sign-ins and changes appear here.
    </EmptyState>
  );
}

function Pages({ filters, next }: { filters: AuditFilters; next: string | undefined }) {
  if (next === undefined && filters.cursor === undefined) return null;
  return (
    <nav aria-label="Pages of the log" className="flex justify-between gap-2 border-t border-line px-3 py-2">
      {filters.cursor === undefined ? (
        <span />
      ) : (
        <Link to={paths.audit} search={{ ...filters, cursor: undefined }} className={buttonClass("quiet")}>
          ← Newest
        </Link>
      )}
      {next !== undefined && (
        <Link to={paths.audit} search={{ ...filters, cursor: next }} className={buttonClass("quiet")}>
          Older →
        </Link>
      )}
    </nav>
  );
}
