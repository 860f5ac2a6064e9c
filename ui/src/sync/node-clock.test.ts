import { describe, expect, it, vi } from "vitest";

import { createNodeClock, medianSample, STEP_MS_MAX } from "./node-clock";
import { createWorld } from "./test-world";

/** A node whose clock is `ahead` of this machine's, at the end of ways of some length. */
function open(ways: readonly { outMs: number; backMs: number }[], aheadMs: (nowMs: number) => number) {
  const world = createWorld();
  let asked = 0;
  let visible = true;
  let onVisible: (() => void) | undefined;
  let onStir: (() => void) | undefined;
  let sleptMs = 0;
  let setAheadMs = 0;
  const fetchTime = vi.fn(async () => {
    const way = ways[asked++ % ways.length] ?? { outMs: 0, backMs: 0 };
    await new Promise<void>((resolve) => void world.after(way.outMs, resolve));
    const nodeMs = world.now() + sleptMs + aheadMs(world.now());
    await new Promise<void>((resolve) => void world.after(way.backMs, resolve));
    return nodeMs;
  });
  const clock = createNodeClock({
    fetchTime,
    now: world.now,
    timeOfDay: () => world.now() + sleptMs + setAheadMs,
    after: world.after,
    isVisible: () => visible,
    onVisibility: (listener) => {
      onVisible = listener;
      return () => {
        onVisible = undefined;
      };
    },
    onStir: (listener) => {
      onStir = listener;
      return () => {
        onStir = undefined;
      };
    },
  });
  const show = (isShown: boolean) => {
    visible = isShown;
    onVisible?.();
  };
  return {
    world,
    clock,
    fetchTime,
    show,
    /** The machine sleeps: the node's clock goes on and so does the time of day, and nothing else does. */
    sleep: (ms: number) => {
      sleptMs += ms;
    },
    /** Somebody sets the time of day. */
    setTime: (byMs: number) => {
      setAheadMs += byMs;
    },
    stir: () => onStir?.(),
    /** What the page shows differs from the node's clock by this. */
    wrongByMs: () => Math.abs(clock.nowMs() - (world.now() + sleptMs + aheadMs(world.now()))),
  };
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
    const never = () => () => undefined;
    const clock = createNodeClock({
      fetchTime,
      now: world.now,
      timeOfDay: world.now,
      after: world.after,
      isVisible: () => true,
      onVisibility: never,
      onStir: never,
    });
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

  it("is right again with the first answer after the machine slept, however that is noticed", async () => {
    const HOUR_MS = 3_600_000;
    const ways: Record<string, (opened: ReturnType<typeof open>) => void> = {
      "the node says so": ({ clock }) => clock.resync(),
      "a picture is drawn": ({ clock }) => clock.notice(),
      "the window is used": ({ stir }) => stir(),
    };
    for (const [how, wake] of Object.entries(ways)) {
      const opened = open([{ outMs: 10, backMs: 10 }], () => 500);
      const { world, clock, fetchTime, sleep, wrongByMs } = opened;
      clock.subscribe(() => undefined);
      await world.advance(1_000);
      expect(wrongByMs(), how).toBeLessThanOrEqual(1);
      sleep(HOUR_MS);
      expect(wrongByMs(), `${how}: its own clock stood still`).toBe(HOUR_MS);
      wake(opened);
      await world.advance(20);
      expect(wrongByMs(), how).toBeLessThanOrEqual(1);
      await world.advance(1_000);
      expect(fetchTime, how).toHaveBeenCalledTimes(10);
      expect(clock.reading(), `${how}: a sleep is no drift`).toEqual({ offsetMs: HOUR_MS + 500, roundTripMs: 20, driftMs: null });
    }
  });

  it("does not mix samples from before and after a sleep, whoever notices it", async () => {
    for (const isSeen of [false, true]) {
      const { world, clock, sleep, fetchTime, wrongByMs } = open([{ outMs: 10, backMs: 10 }], () => 7);
      clock.subscribe(() => undefined);
      await world.advance(365);
      expect(fetchTime, "one is on its way").toHaveBeenCalledTimes(4);
      sleep(600_000);
      if (isSeen) clock.notice();
      await world.advance(100);
      expect(clock.reading(), "samples of the round before count for nothing").toBeUndefined();
      await world.advance(2_000);
      expect(wrongByMs()).toBeLessThanOrEqual(1);
      expect(fetchTime).toHaveBeenCalledTimes(9);
    }
  });

  it("is read anew when the time of day is set, and goes on as if nothing had happened", async () => {
    const { world, clock, fetchTime, setTime, wrongByMs } = open([{ outMs: 1, backMs: 1 }], () => 7);
    clock.subscribe(() => undefined);
    await world.advance(1_000);
    setTime(-7_200_000);
    clock.notice();
    expect(wrongByMs()).toBeLessThanOrEqual(1);
    await world.advance(1_000);
    expect(fetchTime).toHaveBeenCalledTimes(10);
    expect(wrongByMs()).toBeLessThanOrEqual(1);
  });

  it("asks for nothing more while clocks only go a little fast or slow, or nobody looks", async () => {
    const { world, clock, fetchTime, setTime, show, stir } = open([{ outMs: 1, backMs: 1 }], () => 7);
    clock.subscribe(() => undefined);
    await world.advance(1_000);
    setTime(STEP_MS_MAX);
    for (let picture = 0; picture < 60; picture += 1) clock.notice();
    await world.advance(1_000);
    expect(fetchTime).toHaveBeenCalledTimes(5);
    show(false);
    setTime(3_600_000);
    stir();
    await world.advance(600_000);
    expect(fetchTime, "the page is hidden").toHaveBeenCalledTimes(5);
    show(true);
    await world.advance(1_000);
    expect(fetchTime).toHaveBeenCalledTimes(10);
  });
});
