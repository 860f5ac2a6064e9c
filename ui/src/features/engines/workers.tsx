import type { Engine } from "~/api/types";

/** Squares that are drawn; more of them would be too narrow to see. */
const DRAWN_MAX = 64;

/** How many workers an engine has and how many of them run a job. */
export function Workers({ engine: { workers, busy } }: { engine: Engine }) {
  return (
    <div className="space-y-1.5">
      <p className="text-[13px]">
        <span className="numeric font-semibold">{busy}</span> of <span className="numeric font-semibold">{workers}</span>{" "}
        {workers === 1 ? "worker" : "workers"} busy
      </p>
      <div aria-hidden className="flex gap-1">
        {Array.from({ length: Math.min(workers, DRAWN_MAX) }, (_, worker) => (
          <span key={worker} className={`h-2 flex-1 rounded-full ${worker < busy ? "bg-run" : "bg-hover"}`} />
        ))}
      </div>
    </div>
  );
}
