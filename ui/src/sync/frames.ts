interface Dependencies {
  requestFrame: (task: () => void) => number;
  cancelFrame: (id: number) => void;
  isVisible: () => boolean;
  /** Calls back when the page is shown or hidden. Returns what stops that. */
  onVisibility: (listener: () => void) => () => void;
}

/**
 * Draws what ticks, once for each picture that the screen shows: one loop for the whole page, and none while nothing
 * ticks or nobody can see it.
 */
export function createFrames({ requestFrame, cancelFrame, isVisible, onVisibility }: Dependencies) {
  const drawings = new Set<() => void>();
  let frame: number | undefined;
  let stopVisibility: (() => void) | undefined;

  function draw() {
    frame = undefined;
    for (const drawing of drawings) drawing();
    settle();
  }

  function settle() {
    const runs = drawings.size > 0 && isVisible();
    if (runs && frame === undefined) frame = requestFrame(draw);
    if (!runs && frame !== undefined) {
      cancelFrame(frame);
      frame = undefined;
    }
  }

  /** Draws again and again until the returned function is called. */
  return (drawing: () => void) => {
    drawings.add(drawing);
    if (drawings.size === 1) stopVisibility = onVisibility(settle);
    settle();
    return () => {
      drawings.delete(drawing);
      if (drawings.size === 0) stopVisibility?.();
      settle();
    };
  };
}
