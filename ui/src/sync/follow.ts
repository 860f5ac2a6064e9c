import { createConnection, type Dependencies, type Socket } from "./connection";

interface Followable extends Dependencies {
  /** Calls back when the page is shown or hidden, or the machine has a network again. Returns what stops that. */
  onWake: (listener: () => void) => () => void;
}

export type Follower = ReturnType<typeof createFollower>;

/** Follows a session for as long as somebody listens, and hurries back when somebody looks again. */
export function createFollower({ onWake, ...dependencies }: Followable) {
  const connection = createConnection(dependencies);
  let listening = 0;
  let stopWake: (() => void) | undefined;

  function wake() {
    connection.retryNow();
    connection.refresh();
  }

  return {
    followed: connection.followed,
    offer: connection.offer,
    retryNow: connection.retryNow,
    subscribe: (listener: () => void) => {
      const unsubscribe = connection.subscribe(listener);
      listening += 1;
      if (listening === 1) {
        stopWake = onWake(wake);
        connection.start();
      }
      return () => {
        unsubscribe();
        listening -= 1;
        if (listening > 0) return;
        stopWake?.();
        connection.stop();
      };
    },
  };
}

/** Opens a socket of the browser. */
export function openBrowserSocket(url: string, events: Parameters<Dependencies["openSocket"]>[1]): Socket {
  const socket = new WebSocket(url);
  socket.addEventListener("open", () => events.onOpen());
  socket.addEventListener("message", (message: MessageEvent<unknown>) => {
    if (typeof message.data === "string") events.onMessage(message.data);
  });
  socket.addEventListener("close", ({ code, reason }) => events.onClose(code, reason));
  return {
    send: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: () => socket.close(),
  };
}
