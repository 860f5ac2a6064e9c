import { readdirSync } from "node:fs";
import { join } from "node:path";

import { screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";

import { openPage, read, REPOSITORY } from "./test-shell";

const LANGUAGES = ["en", "de", "fr", "es"];

/** The texts of a language, each with the names of its values. */
function messages(language: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const message of read(`crates/shell/locales/pages/${language}.ftl`).split(/\n(?=[a-z])/)) {
    const id = /^([a-z-]+) =/.exec(message)?.[1];
    if (id !== undefined) found.set(id, [...new Set(message.match(/\$[a-z]+/g))].sort());
  }
  return found;
}

function filesBelow(folder: string, ending: string): string[] {
  const names = readdirSync(join(REPOSITORY, folder), { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(ending)).map((name) => read(`${folder}/${name}`));
}

describe("the texts of the app's pages", () => {
  it.each(LANGUAGES)("are all there in %s, with the same values", (language) => {
    expect([...messages(language)].sort()).toEqual([...messages("en")].sort());
  });

  it("are those that the pages and the shell use, and no others", () => {
    const pages = [...filesBelow("src-tauri/pages", ".html"), ...filesBelow("src-tauri/pages", ".js")].join("\n");
    const rust = [...filesBelow("src-tauri/src", ".rs"), ...filesBelow("crates/shell/src", ".rs")].join("\n");
    const named = [...pages.matchAll(/"((?:settings|leaving)-[a-z-]+)"/g)].flatMap(([, id]) => id ?? []);
    const ofReset = [...pages.matchAll(/\bword\("([a-z-]+)"\)/g)].map(([, id = ""]) => `settings-reset-${id}`);
    const inPages = new Set([...named, ...ofReset].filter((id) => !pages.includes(`id="${id}"`)));
    const known = [...messages("en").keys()];
    expect([...inPages].filter((id) => !known.includes(id)), "missing").toEqual([]);
    expect(known.filter((id) => !inPages.has(id) && !rust.includes(`"${id}"`)), "unused").toEqual([]);
  });
});

describe("the pages before a node runs", () => {
  it("say what the address says, as text, and nothing about a log that is not there", async () => {
    const said = new URLSearchParams({ lang: "de", title: "Flowork konnte nicht starten", message: "<b>Port 7717</b> ist belegt", retry: "Noch einmal" });
    history.replaceState(null, "", `/error.html?${said.toString()}`);
    await openPage("error", "said");
    expect(document.documentElement.lang).toBe("de");
    expect(screen.getByRole("heading", { name: "Flowork konnte nicht starten" })).toBeVisible();
    expect(screen.getByRole("alert")).toHaveTextContent("<b>Port 7717</b> ist belegt");
    expect(screen.getByRole("link", { name: "Noch einmal" })).toHaveAttribute("href", "https://action.flowork.invalid/retry");
    expect(screen.getByRole("link", { name: "Settings" }), "what the address lacks").toBeVisible();
    expect(screen.getByText("Log:")).not.toBeVisible();
  });

  it("say that the node starts", async () => {
    history.replaceState(null, "", "/index.html?lang=fr&starting=D%C3%A9marrage");
    await openPage("index", "said");
    expect(screen.getByRole("status")).toHaveTextContent("Démarrage");
  });
});
