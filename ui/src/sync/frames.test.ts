import { describe, expect, it, vi } from "vitest";

import { createFrames } from "./frames";

function open() {
  let frames: { id: number; task: () => void }[] = [];
  let ids = 0;
  let visible = true;
  let onVisible: (() => void) | undefined;
  const onEachFrame = createFrames({
    requestFrame: (task) => {
      frames.push({ id: ++ids, task });
      return ids;
    },
    cancelFrame: (id) => {
      frames = frames.filter((frame) => frame.id !== id);
    },
    isVisible: () => visible,
    onVisibility: (listener) => {
      onVisible = listener;
      return () => {
        onVisible = undefined;
      };
    },
  });
  return {
    onEachFrame,
    asked: () => frames.length,
    picture: () => {
      const due = frames;
      frames = [];
      for (const { task } of due) task();
    },
    show: (isShown: boolean) => {
      visible = isShown;
      onVisible?.();
    },
  };
}

describe("what ticks", () => {
  it("is drawn once for each picture, all of it in one loop", () => {
    const { onEachFrame, picture, asked } = open();
    const [one, other] = [vi.fn(), vi.fn()];
    onEachFrame(one);
    onEachFrame(other);
    expect(asked()).toBe(1);
    for (let count = 0; count < 60; count += 1) picture();
    expect(one).toHaveBeenCalledTimes(60);
    expect(other).toHaveBeenCalledTimes(60);
  });

  it("stands still while the page is hidden, and when nothing is left to draw", () => {
    const { onEachFrame, picture, asked, show } = open();
    const drawing = vi.fn();
    const stop = onEachFrame(drawing);
    picture();
    show(false);
    expect(asked()).toBe(0);
    picture();
    expect(drawing).toHaveBeenCalledOnce();
    show(true);
    picture();
    expect(drawing).toHaveBeenCalledTimes(2);
    stop();
    expect(asked()).toBe(0);
    const again = onEachFrame(drawing);
    picture();
    expect(drawing).toHaveBeenCalledTimes(3);
    again();
    show(true);
    expect(asked()).toBe(0);
  });
});
