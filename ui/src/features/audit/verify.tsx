import { useMutation } from "@tanstack/react-query";
import { ShieldCheck } from "lucide-react";
import { useState } from "react";

import { type AuditProgress, verifyAudit } from "~/api/audit";
import type { AuditReport } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Button } from "~/ui/button";
import { Callout, ErrorCallout } from "~/ui/callout";
import { Section } from "~/ui/page";
import { ProgressBar } from "~/ui/progress-bar";

/** Checks the whole log, and tells what it found. */
export function VerifySection() {
  const [progress, setProgress] = useState<AuditProgress>();
  const verify = useMutation({
    mutationFn: ({ signal }: AbortController) => {
      setProgress(undefined);
      return verifyAudit(setProgress, signal);
    },
  });
  const wasStopped = verify.isError && verify.variables.signal.aborted;
  return (
    <Section title="Check of the log">
      <div className="space-y-3">
        <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
          <p className="min-w-0 flex-1 basis-64 text-[13px] text-ink-soft">
            Goes over every entry from the first one, and over the signed end of each day. An edit, a gap or a swap does not
            get past it.
          </p>
          {verify.isPending ? (
            <Button onClick={() => verify.variables.abort()}>Stop the check</Button>
          ) : (
            <Button onClick={() => verify.mutate(new AbortController())}>
              <ShieldCheck aria-hidden className="size-4" />
              Check now
            </Button>
          )}
        </div>
        {verify.isPending && <Progress progress={progress} />}
        {wasStopped && <p className="text-[13px] text-ink-soft">The check was stopped.</p>}
        {verify.isError && !wasStopped && <ErrorCallout problem={complaint(verify.error)} />}
        {verify.data !== undefined && <Report report={verify.data} />}
      </div>
    </Section>
  );
}

function Progress({ progress }: { progress: AuditProgress | undefined }) {
  if (progress === undefined || progress.total === 0) {
    return <ProgressBar label="Checking the log" fraction={null} message="Checking…" />;
  }
  const { checked, total } = progress;
  const message = `${checked.toLocaleString()} of ${total.toLocaleString()} entries`;
  return <ProgressBar label="Checking the log" fraction={checked / total} message={message} />;
}

function Report({ report }: { report: AuditReport }) {
  const { entries, heads, cut_seq: cut, problems, problem_count: count } = report;
  const checked = `${counted(entries, "entry", "entries")} and ${counted(heads, "signed day", "signed days")} were checked.`;
  const before = cut > 0 ? ` Entries up to number ${cut.toLocaleString()} were cut, at a signed checkpoint, because of their age.` : "";
  if (report.ok) {
    return (
      <div role="status" aria-label="Result of the check">
        <Callout tone="note" title="The log is whole">
          <p>
            {checked}
            {before}
          </p>
        </Callout>
      </div>
    );
  }
  const places = count === 1 ? "1 place of the log is" : `${count.toLocaleString()} places of the log are`;
  return (
    <Callout tone="bad" announce title={`${places} not what was written`}>
      <p>
        {checked}
        {before}
      </p>
      <ul className="list-disc space-y-1 pl-5">
        {problems.map(({ seq, kind, message }) => (
          <li key={`${seq} ${kind}`}>
            Entry {seq.toLocaleString()}: {message}
          </li>
        ))}
      </ul>
      {count > problems.length && <p>Shown are the first {problems.length}.</p>}
    </Callout>
  );
}

function counted(count: number, one: string, many: string): string {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}
