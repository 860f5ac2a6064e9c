import type { AuditEntry } from "~/api/types";
import { Callout } from "~/ui/callout";
import { Facts } from "~/ui/facts";
import { JsonView } from "~/ui/json-view";
import { Pill } from "~/ui/pill";
import { Ago, At } from "~/ui/time";

import { actorWords, outcomeLook } from "./words";

/** One entry of the log: a line, and all of it when it is opened. */
export function Entry({ entry, nameOf }: { entry: AuditEntry; nameOf: (subject: string) => string }) {
  const { title, tone } = outcomeLook(entry.outcome);
  return (
    <li className="border-b border-line last:border-0">
      <details>
        <summary className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2.5 text-[13px] hover:bg-hover/50">
          <span className="min-w-0 flex-1 basis-64 [overflow-wrap:anywhere]">
            <code className="font-mono font-medium">{entry.action}</code>
            {entry.object && <span className="text-ink-soft"> on {nameOf(entry.object)}</span>}
            <span className="block text-xs text-ink-faint">
              {actorWords(entry.actor, nameOf)}
              {entry.ip && ` from ${entry.ip}`}
            </span>
          </span>
          {!entry.intact && <Pill tone="bad">Altered</Pill>}
          <Pill tone={tone}>{title}</Pill>
          <span className="text-xs text-ink-faint sm:w-24 sm:text-right">
            <Ago at={entry.at} />
          </span>
        </summary>
        <div className="space-y-3 px-4 pt-1 pb-4">
          {!entry.intact && (
            <Callout tone="bad" title="This entry is not what was written">
              <p>It was changed, put in or moved, or the one before it was. Check the log to see how far that goes.</p>
            </Callout>
          )}
          <Facts
            items={[
              ["Number", entry.seq.toLocaleString()],
              ["When", <At at={entry.at} />],
              ["Who", [actorWords(entry.actor, nameOf), entry.actor.subject].filter(Boolean).join(", ")],
              ...(entry.object ? [["Object", entry.object] as const] : []),
              ...(entry.method && entry.route
                ? [["Call", <code className="font-mono text-xs">{`${entry.method} ${entry.route}`}</code>] as const]
                : []),
              ...(entry.status ? [["Answer", [entry.status, entry.code].filter(Boolean).join(" ")] as const] : []),
              ...(entry.trace_id ? [["Request", <code className="font-mono text-xs">{entry.trace_id}</code>] as const] : []),
              ["Hash", <code className="font-mono text-xs text-ink-soft">{entry.hash}</code>],
            ]}
          />
          {entry.detail !== null && entry.detail !== undefined && (
            <div className="rounded-lg border border-line bg-sunken p-3">
              <JsonView value={entry.detail} what={`the details of entry ${entry.seq}`} />
            </div>
          )}
        </div>
      </details>
    </li>
  );
}
