import type { Queue } from "~/api/types";
import { rateWords, totals } from "~/features/queues/figures";
import { formatDuration } from "~/ui/duration";
import { Tile, Tiles } from "~/ui/tile";

/** What went through all queues in the last minute. */
export function Throughput({ queues }: { queues: readonly Queue[] | undefined }) {
  const sums = queues === undefined ? undefined : totals(queues);
  const delay = sums?.claimDelayP95Ms;
  return (
    <Tiles label="In the last minute">
      <RateTile title="Enqueued" rate={sums?.enqueuedPerS} />
      <RateTile title="Finished" rate={sums?.finishedPerS} />
      <RateTile title="Failed attempts" rate={sums?.failedPerS} />
      <Tile title="Claim delay p95" value={delay === undefined ? undefined : formatDuration(delay)} />
    </Tiles>
  );
}

function RateTile({ title, rate }: { title: string; rate: number | undefined }) {
  if (rate === undefined) return <Tile title={title} value={undefined} />;
  const { value, unit } = rateWords(rate);
  return <Tile title={title} value={value} suffix={unit} />;
}
