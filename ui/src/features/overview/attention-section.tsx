import { Link } from "@tanstack/react-router";
import clsx from "clsx";
import { CircleAlert, CircleCheck, TriangleAlert } from "lucide-react";

import { paths } from "~/paths";
import { buttonClass } from "~/ui/button";
import { Section } from "~/ui/page";
import { TickedText } from "~/ui/ticked-text";

import { type Concern, FAILED, type Remedy } from "./attention";

/** What needs a person, each with the way to deal with it. */
export function AttentionSection({ concerns }: { concerns: readonly Concern[] }) {
  return (
    <Section title="Needs attention" flush={concerns.length > 0}>
      {concerns.length === 0 ? (
        <p className="flex items-center gap-2 text-[13px] text-ink-soft">
          <CircleCheck aria-hidden className="size-4 text-good" />
          Nothing. Failed jobs, shards in trouble and notices of the node appear here.
        </p>
      ) : (
        <ul>
          {concerns.map((concern) => (
            <Entry key={concern.key} concern={concern} />
          ))}
        </ul>
      )}
    </Section>
  );
}

function Entry({ concern: { tone, title, detail, remedy } }: { concern: Concern }) {
  const Icon = tone === "bad" ? CircleAlert : TriangleAlert;
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-line px-4 py-2.5 text-[13px] last:border-0">
      <Icon aria-hidden className={clsx("size-4 shrink-0", tone === "bad" ? "text-bad" : "text-warn")} />
      <div className="min-w-0 flex-1 basis-56 [overflow-wrap:anywhere]">
        <p className="font-medium first-letter:uppercase">{title}</p>
        {detail !== undefined && (
          <p className="line-clamp-2 text-xs text-ink-soft">
            <TickedText>{detail}</TickedText>
          </p>
        )}
      </div>
      <RemedyLink remedy={remedy} />
    </li>
  );
}

function RemedyLink({ remedy }: { remedy: Remedy }) {
  const className = buttonClass("plain");
  switch (remedy) {
    case "failed_jobs":
      return (
        <Link to={paths.jobs} search={FAILED} className={className}>
          See failed jobs
        </Link>
      );
    case "queues":
      return (
        <Link to={paths.queues} className={className}>
          See queues
        </Link>
      );
    case "engines":
      return (
        <Link to={paths.engines} className={className}>
          See engines
        </Link>
      );
    case "schedules":
      return (
        <Link to={paths.schedules} className={className}>
          See schedules
        </Link>
      );
    case "kinds":
      return (
        <Link to={paths.kinds} className={className}>
          See modules
        </Link>
      );
    case "status":
      return (
        <Link to={paths.status} className={className}>
          See status
        </Link>
      );
  }
}
