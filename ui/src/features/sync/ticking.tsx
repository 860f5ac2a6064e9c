import { nodeClock, onEachFrame } from "~/sync/window";

import { clockDuration, clockText, type Direction } from "./clock-text";

interface TickingProps {
  /** Its accessible name, such as `Time left`. */
  label: string;
  /** Computes what it shows at an instant of the node's clock. */
  read: (nowMs: number) => number;
  direction: Direction;
  /** Whether time runs; otherwise it is drawn once. */
  runs: boolean;
  className?: string;
}

/** A clock at the rate of the screen. It is written straight into the page: nothing else has to be drawn again for it. */
export function Ticking({ label, read, direction, runs, className }: TickingProps) {
  return (
    <time
      role="timer"
      aria-label={label}
      className={className}
      ref={(element) => {
        if (element === null) return;
        const draw = () => {
          const ms = read(nodeClock.nowMs());
          const shown = clockText(ms, direction);
          if (element.textContent !== shown) element.textContent = shown;
          element.dateTime = clockDuration(ms);
        };
        draw();
        return runs ? onEachFrame(draw) : nodeClock.subscribe(draw);
      }}
    />
  );
}
