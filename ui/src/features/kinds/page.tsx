import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Boxes, Play } from "lucide-react";

import type { BrokenModule, Kind } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { paths } from "~/paths";
import { buttonClass } from "~/ui/button";
import { Callout, Hint } from "~/ui/callout";
import { formatDuration } from "~/ui/duration";
import { EmptyState } from "~/ui/empty-state";
import { JsonView } from "~/ui/json-view";
import { Page, Section } from "~/ui/page";

import { kindQueries, mayEnqueue } from "./queries";
import { KindRights } from "./rights";

const MODULE_PREFIX = "module.";

/** What this node can do, and what it could if it were not broken. */
export function KindsPage() {
  const query = useQuery(kindQueries.list);
  return (
    <Page
      title="Kinds & modules"
      detail="A kind is a type of work. Modules are kinds of your own: a folder with a manifest and a program, picked up while the node runs."
    >
      <Loaded query={query} what="kinds">
        {({ items, broken_modules: broken }) => {
          const modules = items.filter(({ name }) => name.startsWith(MODULE_PREFIX));
          const builtIn = items.filter(({ name }) => !name.startsWith(MODULE_PREFIX));
          return (
            <div className="space-y-4">
              {broken.length > 0 && <Broken modules={broken} />}
              <Section title="Modules" flush>
                {modules.length === 0 ? (
                  <EmptyState icon={Boxes} title="No modules">
                    Make one with <code className="font-mono">flowork module new</code>. It appears here as soon as its
                    folder is complete.
                  </EmptyState>
                ) : (
                  <KindList kinds={modules} />
                )}
              </Section>
              <Section title="Built in" flush>
                <KindList kinds={builtIn} />
              </Section>
            </div>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Broken({ modules }: { modules: readonly BrokenModule[] }) {
  return (
    <section aria-label="Broken modules" className="space-y-2">
      {modules.map((module) => (
        <Callout
          key={module.id}
          tone="bad"
          title={
            <>
              The module <code className="font-mono">{module.id}</code> can't be used
            </>
          }
        >
          <p>{module.reason}</p>
          {module.hint && <Hint>{module.hint}</Hint>}
        </Callout>
      ))}
    </section>
  );
}

function KindList({ kinds }: { kinds: readonly Kind[] }) {
  return (
    <ul>
      {kinds.map((kind) => (
        <li key={kind.name} className="border-b border-line px-4 py-3 last:border-0">
          <div className="flex flex-wrap items-start justify-between gap-3">
            <div className="min-w-0 flex-1 basis-64 space-y-0.5">
              <h3 className="flex flex-wrap items-baseline gap-x-2">
                <span className="font-mono text-[13px] font-medium">{kind.name}</span>
                {kind.title !== kind.name && <span className="text-ink-soft">{kind.title}</span>}
              </h3>
              <p className="text-[13px] text-ink-soft">{kind.description}</p>
              <p className="text-xs text-ink-faint">
                Up to {formatDuration(kind.timeout_ms)} an attempt ·{" "}
                {kind.engine_ids.length === 0
                  ? "no engine runs it now"
                  : kind.engine_ids.length === 1
                    ? "1 engine runs it"
                    : `${kind.engine_ids.length} engines run it`}
              </p>
            </div>
            {mayEnqueue(kind) && (
              <Link
                to={paths.newJob}
                search={{ kind: kind.name }}
                aria-label={`Use ${kind.name} for a new job`}
                className={buttonClass("plain")}
              >
                <Play aria-hidden className="size-3.5" />
                Use
              </Link>
            )}
          </div>
          <KindRights kind={kind} />
          <details className="mt-2 text-[13px]">
            <summary className="w-fit rounded text-ink-faint hover:text-ink">Payload schema</summary>
            <div className="mt-2 rounded-lg border border-line bg-sunken p-3">
              <JsonView value={kind.payload_schema} what={`the payload schema of ${kind.name}`} />
            </div>
          </details>
        </li>
      ))}
    </ul>
  );
}
