import { describe, expect, it, vi } from "vitest";

import { createNodeClock, medianSample } from "./node-clock";
import { createWorld } from "./test-world";

/** A node whose clock is `ahead` of this machine's, at the end of ways of some length. */
function open(ways: readonly { outMs: number; backMs: number }[], aheadMs: (nowMs: number) => number) {
  const world = createWorld();
  let asked = 0;
  let visible = true;
  let onVisible: (() => void) | undefined;
  const fetchTime = vi.fn(async () => {
    const way = ways[asked++ % ways.length] ?? { outMs: 0, backMs: 0 };
    await new Promise<void>((resolve) => void world.after(way.outMs, resolve));
    const nodeMs = world.now() + aheadMs(world.now());
    await new Promise<void>((resolve) => void world.after(way.backMs, resolve));
    return nodeMs;
  });
  const clock = createNodeClock({
    fetchTime,
    now: world.now,
    after: world.after,
    isVisible: () => visible,
    onVisibility: (listener) => {
      onVisible = listener;
      return () => {
        onVisible = undefined;
      };
    },
  });
  const show = (isShown: boolean) => {
    visible = isShown;
    onVisible?.();
  };
  return { world, clock, fetchTime, show };
}

describe("the node's clock", () => {
  it("is known to half the round trip after five samples that are 100 ms apart", async () => {
    const { world, clock, fetchTime } = open([{ outMs: 10, backMs: 10 }], () => -73_000);
    expect(clock.nowMs()).toBe(world.now());
    const heard = vi.fn();
    clock.subscribe(heard);
    await world.advance(5 * 20 + 4 * 100 - 1);
    expect(heard).not.toHaveBeenCalled();
    await world.advance(1);
    expect(fetchTime).toHaveBeenCalledTimes(5);
    expect(heard).toHaveBeenCalledOnce();
    expect(clock.reading()).toEqual({ offsetMs: -73_000, roundTripMs: 20, driftMs: null });
    expect(clock.nowMs()).toBe(world.now() - 73_000);
  });

  it("takes the median, so that ways of uneven length do not move it", async () => {
    const ways = [{ outMs: 5, backMs: 5 }, { outMs: 200, backMs: 5 }, { outMs: 5, backMs: 5 }, { outMs: 5, backMs: 300 }, { outMs: 5, backMs: 7 }];
    const { world, clock } = open(ways, () => 500);
    clock.subscribe(() => undefined);
    await world.advance(2_000);
    expect(Math.abs((clock.reading()?.offsetMs ?? 0) - 500)).toBeLessThanOrEqual(1);
  });

  it("leaves out what took longer than 500 ms", () => {
    expect(medianSample([])).toBeUndefined();
    expect(medianSample([{ offsetMs: 1, roundTripMs: 501 }])).toBeUndefined();
    expect(medianSample([{ offsetMs: 1, roundTripMs: 500 }])?.offsetMs).toBe(1);
    expect(medianSample([{ offsetMs: 900, roundTripMs: 800 }, { offsetMs: 3, roundTripMs: 9 }])?.offsetMs).toBe(3);
    expect(medianSample([{ offsetMs: 2, roundTripMs: 9 }, { offsetMs: 4, roundTripMs: 9 }])?.offsetMs).toBe(3);
  });

  it("is read again every three minutes and on demand, and says how far it drifted", async () => {
    const start = createWorld().now();
    // This machine loses a millisecond each ten seconds.
    const { world, clock, fetchTime } = open([{ outMs: 0, backMs: 0 }], (nowMs) => Math.round((nowMs - start) / 10_000));
    clock.subscribe(() => undefined);
    await world.advance(1_000);
    expect(clock.reading()).toEqual({ offsetMs: 0, roundTripMs: 0, driftMs: null });
    await world.advance(181_000);
    expect(fetchTime).toHaveBeenCalledTimes(10);
    expect(clock.reading()).toEqual({ offsetMs: 18, roundTripMs: 0, driftMs: 18 });
    await world.advance(20_000);
    clock.resync();
    clock.resync();
    await world.advance(1_000);
    expect(fetchTime).toHaveBeenCalledTimes(15);
    expect(clock.reading()?.driftMs).toBe(2);
  });

  it("keeps what it knows when no sample comes back, and tries again soon", async () => {
    let isCut = false;
    const world = createWorld();
    const fetchTime = vi.fn(() => (isCut ? Promise.reject(new Error("cut")) : Promise.resolve(world.now() + 40)));
    const clock = createNodeClock({ fetchTime, now: world.now, after: world.after, isVisible: () => true, onVisibility: () => () => undefined });
    clock.subscribe(() => undefined);
    await world.advance(1_000);
    isCut = true;
    clock.resync();
    await world.advance(1_000);
    expect(clock.reading()?.offsetMs).toBe(40);
    isCut = false;
    const before = fetchTime.mock.calls.length;
    await world.advance(5_000);
    expect(fetchTime.mock.calls.length).toBeGreaterThan(before);
  });

  it("rests while nobody looks, and is read as soon as somebody does", async () => {
    const { world, clock, fetchTime, show } = open([{ outMs: 1, backMs: 1 }], () => 7);
    clock.resync();
    expect(fetchTime, "nobody listens").not.toHaveBeenCalled();
    show(false);
    const unsubscribe = clock.subscribe(() => undefined);
    await world.advance(600_000);
    expect(fetchTime, "the page is hidden").not.toHaveBeenCalled();
    show(true);
    await world.advance(1_000);
    expect(fetchTime).toHaveBeenCalledTimes(5);
    show(false);
    await world.advance(600_000);
    expect(fetchTime).toHaveBeenCalledTimes(5);
    show(true);
    await world.advance(1_000);
    expect(fetchTime).toHaveBeenCalledTimes(10);
    unsubscribe();
    expect(world.waiting()).toBe(0);
  });
});
