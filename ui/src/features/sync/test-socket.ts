import { vi } from "vitest";

import type { SyncState } from "~/sync/state";

/** Stands in for the browser's WebSocket, and says what a node would say. */
export function fakeSockets() {
  const opened: FakeSocket[] = [];

  class FakeSocket extends EventTarget {
    static readonly OPEN = 1;
    readonly OPEN = 1;
    readonly readyState = 1;
    readonly said: string[] = [];

    constructor(readonly url: string) {
      super();
      opened.push(this);
    }

    send(text: string) {
      this.said.push(text);
    }

    close() {
      // Whoever closes does not listen any more.
    }
  }

  vi.stubGlobal("WebSocket", FakeSocket);
  const last = () => {
    const socket = opened.at(-1);
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  };
  return {
    opened,
    last,
    open: (state: SyncState) => {
      last().dispatchEvent(new Event("open"));
      last().dispatchEvent(new MessageEvent("message", { data: JSON.stringify({ type: "STATE_SYNC", state }) }));
    },
    tell: (type: string, state?: SyncState) => {
      last().dispatchEvent(new MessageEvent("message", { data: JSON.stringify({ type, state }) }));
    },
    cut: (code: number, reason = "") => last().dispatchEvent(new CloseEvent("close", { code, reason })),
  };
}
