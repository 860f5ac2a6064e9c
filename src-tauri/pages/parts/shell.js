// The way to the shell: the commands that the window of a page may call.

/** Calls a command. Fails with `{ message, hint }`. */
export async function call(command, args = {}) {
  try {
    return await window.__TAURI_INTERNALS__.invoke(command, args);
  } catch (error) {
    if (error && typeof error.message === "string") throw error;
    throw { message: String(error), hint: null };
  }
}

/** How long to wait after a question that was not answered: longer each time, up to the last. */
const AGAIN_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];

/** Draws each view that a command gives. It answers when there is another one than was seen; nothing polls. */
export async function follow(command, draw) {
  let seen = null;
  for (let failures = 0; ; ) {
    try {
      const view = await call(command, { seen });
      seen = view.revision;
      failures = 0;
      draw(view);
    } catch (error) {
      console.error(command, error);
      const waitMs = AGAIN_MS[Math.min(failures, AGAIN_MS.length - 1)];
      failures += 1;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
