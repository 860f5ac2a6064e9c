import { readFileSync } from "node:fs";
import { join } from "node:path";

import { vi } from "vitest";

/** The pages of the desktop app are plain files beside it; they are tried here, where there is a document to try them in. */
export const REPOSITORY = join(import.meta.dirname, "../../..");

const scripts = import.meta.glob<unknown>("../../../src-tauri/pages/{settings,leaving,said}.js");

/** Reads a file of the repository. */
export function read(path: string): string {
  return readFileSync(join(REPOSITORY, path), "utf8");
}

/** The texts of a language without values, by id, as the shell hands them over. */
export function wordsOf(language: string, prefix: string): Record<string, string> {
  const lines = read(`crates/shell/locales/pages/${language}.ftl`).matchAll(/^([a-z-]+) = (.*)$/gm);
  const all = [...lines].map(([, id = "", text = ""]) => [id, text] as const);
  return Object.fromEntries(all.filter(([id, text]) => id.startsWith(prefix) && !text.includes("{")));
}

interface Refusal {
  message: string;
  hint: string | null;
}

/** Stands in for the shell: hands out views one after the other, and answers commands. */
export function fakeShell(viewCommand: string, first: object) {
  const called: { command: string; args: unknown }[] = [];
  const answers = new Map<string, unknown>();
  const refusals = new Map<string, Refusal>();
  let revision = 1;
  let view = first;
  let waiting: (() => void) | undefined;

  const invoke = async (command: string, args: { seen?: number | null }) => {
    if (command === viewCommand) {
      if (args.seen === revision) await new Promise<void>((resolve) => (waiting = resolve));
      return { revision, ...view };
    }
    called.push({ command, args });
    const refusal = refusals.get(command);
    // The shell rejects with a plain value, as the pages get it.
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    if (refusal !== undefined) return Promise.reject(refusal);
    return answers.get(command) ?? null;
  };
  Reflect.set(window, "__TAURI_INTERNALS__", { invoke });

  return {
    called,
    answer: (command: string, answer: unknown) => {
      refusals.delete(command);
      answers.set(command, answer);
    },
    refuse: (command: string, message: string, hint: string | null = null) => refusals.set(command, { message, hint }),
    /** Hands out another view. */
    show: (change: object) => {
      view = { ...view, ...change };
      revision += 1;
      waiting?.();
    },
  };
}

/** Opens a page as the window does. */
export async function openPage(name: "settings" | "leaving" | "error" | "index", script: "settings" | "leaving" | "said") {
  const parsed = new DOMParser().parseFromString(read(`src-tauri/pages/${name}.html`), "text/html");
  document.body.replaceChildren(...document.adoptNode(parsed.body).childNodes);
  document.title = parsed.title;
  // jsdom draws nothing, so nothing can be scrolled.
  Element.prototype.scrollIntoView = vi.fn();
  vi.resetModules();
  const run = scripts[`../../../src-tauri/pages/${script}.js`];
  if (run === undefined) throw new Error(`there is no ${script}.js`);
  await run();
}
