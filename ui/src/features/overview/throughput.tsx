import type { Queue } from "~/api/types";
import { perSecond, totals } from "~/features/queues/figures";
import { formatDuration } from "~/ui/duration";
import { Tile, Tiles } from "~/ui/tile";

/** What went through all queues in the last minute. */
export function Throughput({ queues }: { queues: readonly Queue[] | undefined }) {
  const sums = queues === undefined ? undefined : totals(queues);
  return (
    <Tiles label="In the last minute">
      <Tile title="Enqueued" value={sums && perSecond(sums.enqueuedPerS)} suffix="a second" />
      <Tile title="Finished" value={sums && perSecond(sums.finishedPerS)} suffix="a second" />
      <Tile title="Failed attempts" value={sums && perSecond(sums.failedPerS)} suffix="a second" />
      <Tile
        title="Claim delay p95"
        value={sums?.claimDelayP95Ms === undefined ? undefined : formatDuration(sums.claimDelayP95Ms)}
      />
    </Tiles>
  );
}
