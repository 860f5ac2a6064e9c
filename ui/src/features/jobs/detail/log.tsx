import { useQuery } from "@tanstack/react-query";
import clsx from "clsx";

import { isFinal, type Job, type LogLevel } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { Section } from "~/ui/page";
import { useStickToEnd } from "~/ui/stick-to-end";
import { TimeOfDay } from "~/ui/time";

import type { JobLog } from "../log-lines";
import { jobQueries } from "../queries";

const LEVELS: Record<LogLevel, string> = {
  debug: "text-ink-faint",
  info: "text-run",
  warn: "text-warn",
  error: "text-bad",
};

/** The job's log, line by line as it is written. */
export function LogSection({ job }: { job: Job }) {
  const query = useQuery(jobQueries.logs(job.id));
  const count = query.data === undefined ? 0 : query.data.lines.length + query.data.dropped;
  return (
    <Section
      title="Log"
      flush
      aside={<span className="numeric text-xs text-ink-faint">{count === 1 ? "1 line" : `${count} lines`}</span>}
    >
      <div className={query.data === undefined ? "p-4" : undefined}>
        <Loaded query={query} what="the log">
          {(log) => <Lines log={log} over={isFinal(job.state)} showAttempt={job.attempt > 1} />}
        </Loaded>
      </div>
    </Section>
  );
}

function Lines({ log, over, showAttempt }: { log: JobLog; over: boolean; showAttempt: boolean }) {
  const box = useStickToEnd<HTMLOListElement>(log.last);
  if (log.lines.length === 0) {
    return (
      <p className="px-4 py-4 text-[13px] text-ink-faint">
        {over ? "It wrote nothing." : "Nothing yet. Lines appear here as the job writes them."}
      </p>
    );
  }
  return (
    <>
      {log.dropped > 0 && (
        <p className="border-b border-line px-4 py-2 text-xs text-ink-faint">
          The first {log.dropped.toLocaleString()} lines are not shown.
        </p>
      )}
      <ol
        ref={box}
        aria-label="Log lines"
        // A long log scrolls, and whoever has only a keyboard scrolls it from here.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        className="scroll-thin max-h-[28rem] overflow-y-auto bg-sunken py-2 font-mono text-[12.5px] leading-5"
      >
        {log.lines.map((line) => (
          <li key={line.seq} className="flex gap-3 px-4 py-0.5 hover:bg-hover/60">
            <span className="shrink-0 text-ink-faint">
              <TimeOfDay at={line.at} />
            </span>
            <span className={clsx("w-10 shrink-0", LEVELS[line.level])}>{line.level}</span>
            {showAttempt && (
              <span className="shrink-0 text-ink-faint" title={`Attempt ${line.attempt}`}>
                #{line.attempt}
              </span>
            )}
            <span className="min-w-0 flex-1 whitespace-pre-wrap [overflow-wrap:anywhere]">{line.message}</span>
          </li>
        ))}
      </ol>
    </>
  );
}
