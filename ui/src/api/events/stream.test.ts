import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { NodeEvent } from "./envelope";
import { createEventStream, RETRY_DELAYS_MS, SILENCE_MAX_MS } from "./stream";

/** A connection that the test writes to. */
function connection() {
  let writer: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      writer = controller;
    },
  });
  return {
    response: new Response(body, { headers: { "content-type": "text/event-stream" } }),
    send: (text: string) => writer?.enqueue(new TextEncoder().encode(text)),
    end: () => writer?.close(),
  };
}

function event(id: string, data: object): string {
  return `id: ${id}\nevent: x\ndata: ${JSON.stringify(data)}\n\n`;
}

const changed = { type: "kinds.changed" };
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function follow(open: (cursor: string | undefined) => Promise<Response>) {
  const events: NodeEvent[] = [];
  const opened: boolean[] = [];
  const cursors: (string | undefined)[] = [];
  const stream = createEventStream({
    open: (cursor) => {
      cursors.push(cursor);
      return open(cursor);
    },
    onEvent: (seen) => events.push(seen),
    onOpen: (isFirst) => opened.push(isFirst),
    now: () => Date.now(),
  });
  return { stream, events, opened, cursors };
}

describe("the event stream", () => {
  it("ends for those who may not follow it", async () => {
    const { stream, cursors } = follow(() => Promise.resolve(new Response("{}", { status: 403 })));
    stream.start();
    await settle();
    expect(stream.state()).toEqual({ name: "idle" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(cursors).toHaveLength(1);
  });

  it("reads events that arrive in pieces and skips what it does not know", async () => {
    const line = connection();
    const { stream, events } = follow(() => Promise.resolve(line.response));
    stream.start();
    await settle();
    const whole = event("1", { cursor: "1", at: "", type: "job.progress", job_id: "job_1", progress: { message: "é" } });
    line.send(whole.slice(0, 20));
    line.send(whole.slice(20) + ": a comment\n\n" + event("2", { type: "from.the.future" }) + "data: {broken\n\n");
    await settle();
    expect(events).toEqual([
      { type: "job.progress", job_id: "job_1", progress: { fraction: null, message: "é", output: null } },
    ]);
    stream.stop();
  });

  it("comes back after a cut with the id of the last event", async () => {
    const lines = [connection(), connection()];
    const { stream, events, opened, cursors } = follow(() => Promise.resolve(lines[cursors.length - 1]?.response ?? new Response()));
    stream.start();
    await settle();
    lines[0]?.send(event("7", changed));
    await settle();
    lines[0]?.end();
    await settle();
    expect(stream.state()).toMatchObject({ name: "waiting", failures: 1 });
    await vi.advanceTimersByTimeAsync(RETRY_DELAYS_MS[0]);
    expect(cursors).toEqual([undefined, "7"]);
    expect(opened).toEqual([true, false]);
    expect(stream.state().name).toBe("live");
    expect(events).toHaveLength(1);
    stream.stop();
  });

  it("waits longer after each failure, up to half a minute", async () => {
    const { stream, cursors } = follow(() => Promise.reject(new TypeError("refused")));
    stream.start();
    await settle();
    for (const [index, delay] of [...RETRY_DELAYS_MS, 30_000].entries()) {
      expect(cursors).toHaveLength(index + 1);
      await vi.advanceTimersByTimeAsync(delay - 1);
      expect(cursors, "not before its time").toHaveLength(index + 1);
      await vi.advanceTimersByTimeAsync(1);
    }
    stream.stop();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(cursors, "nothing after it was stopped").toHaveLength(RETRY_DELAYS_MS.length + 2);
  });

  it("gives up a line that has gone silent, and keeps one that sends comments", async () => {
    const lines = [connection(), connection()];
    const { stream, cursors } = follow(() => Promise.resolve(lines[cursors.length - 1]?.response ?? new Response()));
    stream.start();
    for (let minute = 0; minute < 3; minute += 1) {
      await vi.advanceTimersByTimeAsync(SILENCE_MAX_MS - 1);
      lines[0]?.send(": still here\n\n");
      await settle();
    }
    expect(cursors).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(SILENCE_MAX_MS + RETRY_DELAYS_MS[0]);
    expect(cursors).toHaveLength(2);
    stream.stop();
  });

  it("does not wait when a person asks for a try now", async () => {
    const { stream, cursors } = follow(() => Promise.reject(new TypeError("refused")));
    stream.start();
    await settle();
    stream.retryNow();
    await settle();
    expect(cursors).toHaveLength(2);
    stream.stop();
  });

  it("comes back at once when its token has ended, but not in a circle", async () => {
    const lines = [connection(), connection()];
    const { stream, cursors } = follow(() => Promise.resolve(lines[cursors.length - 1]?.response ?? new Response()));
    const bye = 'event: bye\ndata: {"reason":"token_expired"}\n\n';
    stream.start();
    await vi.advanceTimersByTimeAsync(50_000);
    lines[0]?.send(bye);
    lines[0]?.end();
    await settle();
    expect(cursors).toHaveLength(2);
    lines[1]?.send(bye);
    lines[1]?.end();
    await settle();
    expect(cursors, "the second one had not lasted").toHaveLength(2);
    stream.stop();
  });
});
