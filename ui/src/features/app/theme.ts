import { useSyncExternalStore } from "react";

import { platform } from "~/platform";

/** What a person chose; `system` follows the machine. */
export type ThemeChoice = "system" | "light" | "dark";

const CHOICES = ["system", "light", "dark"] as const satisfies readonly ThemeChoice[];
const PREFERENCE = "theme";

const listeners = new Set<() => void>();

function readChoice(): ThemeChoice {
  const stored = platform.preference.read(PREFERENCE);
  return CHOICES.find((choice) => choice === stored) ?? "system";
}

function apply() {
  const choice = readChoice();
  const dark = choice === "dark" || (choice === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset["theme"] = dark ? "dark" : "light";
}

/** Puts the theme on the page, and again whenever the machine changes its own. */
export function startTheme() {
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
}

export function useTheme(): [ThemeChoice, (choice: ThemeChoice) => void] {
  const choice = useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, readChoice);
  return [
    choice,
    (next) => {
      platform.preference.write(PREFERENCE, next);
      apply();
      for (const listener of listeners) listener();
    },
  ];
}
