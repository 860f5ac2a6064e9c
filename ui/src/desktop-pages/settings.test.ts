import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it } from "vitest";

import { fakeShell, openPage, wordsOf } from "./test-shell";

const VIEW = {
  language: "en",
  words: wordsOf("en", "settings-"),
  version: "1.2.3",
  start_with_system: { on: false, reason: null },
  keep_in_tray: true,
  notifications: "failed",
  quit_deadline_seconds: 60,
  language_choice: "system",
  languages: ["en", "de"],
  tray: { shown: true, line: "The icon is in the tray.", hint: null },
  hosting: { name: "own", line: "This app (process 42)", url: "http://127.0.0.1:7717" },
  recovery: { on: false, line: "Normal" },
  places: [
    { name: "data", path: "/home/ada/flowork" },
    { name: "logs", path: "/home/ada/flowork/logs" },
  ],
  notices: [],
  reset: { reason: null },
};

const PLAN = {
  plan: "7f",
  total_bytes: 1_400_000,
  phrase: "flowork",
  items: [
    { what: "Jobs", path: "/home/ada/flowork/shards", bytes: 1_400_000 },
    { what: "The owner's key", path: null, bytes: null },
  ],
  kept: ["/home/ada/flowork/notes.txt"],
};

async function open(change: object = {}) {
  const shell = fakeShell("settings_view", { ...VIEW, ...change });
  await openPage("settings", "settings");
  await screen.findByRole("heading", { level: 1, name: "Settings" });
  return { ...shell, user: userEvent.setup({ delay: null }) };
}

function set(shell: { called: { command: string; args: unknown }[] }): unknown[] {
  return shell.called.filter(({ command }) => command === "settings_set").map(({ args }) => args);
}

afterEach(() => void Reflect.deleteProperty(window, "__TAURI_INTERNALS__"));

describe("the settings of the desktop app", () => {
  it("say what runs the node, where things are, and how the app started", async () => {
    const { show } = await open();
    for (const words of ["This app (process 42)", "http://127.0.0.1:7717", "The icon is in the tray.", "Normal", "/home/ada/flowork/logs", "Flowork 1.2.3"]) {
      expect(screen.getByText(words)).toBeInTheDocument();
    }
    expect(screen.queryByRole("button", { name: "Start normally" })).not.toBeInTheDocument();
    show({
      recovery: { on: true, line: "Recovery mode" },
      hosting: { name: "service", line: "A service (process 7)", url: null },
      tray: { shown: false, line: "No tray", hint: "Open the app again." },
      notices: [{ code: "PREFERENCES_UNREADABLE", message: "desktop.toml cannot be read", hint: "mend it" }],
    });
    expect(await screen.findByRole("button", { name: "Start normally" })).toBeInTheDocument();
    for (const words of ["A service (process 7)", "No tray", "Open the app again.", "desktop.toml cannot be read", "mend it"]) {
      expect(screen.getByText(words)).toBeInTheDocument();
    }
    expect(screen.getByText("Address")).not.toBeVisible();
  });

  it("are shown as they are and set one at a time, by their names", async () => {
    const shell = await open();
    const { user } = shell;
    expect(screen.getByRole("switch", { name: "Start with the system" })).not.toBeChecked();
    expect(screen.getByRole("switch", { name: "Keep running in the tray" })).toBeChecked();
    expect(screen.getByRole("combobox", { name: "Wait for jobs when quitting" })).toHaveDisplayValue("1 minute");
    await user.click(screen.getByRole("switch", { name: "Start with the system" }));
    await user.click(screen.getByRole("switch", { name: "Keep running in the tray" }));
    await user.selectOptions(screen.getByRole("combobox", { name: "Notifications" }), "Completed jobs, too");
    await user.selectOptions(screen.getByRole("combobox", { name: "Wait for jobs when quitting" }), "Do not wait");
    await user.selectOptions(screen.getByRole("combobox", { name: "Language" }), "Deutsch");
    expect(set(shell)).toEqual([
      { change: { start_with_system: true } },
      { change: { keep_in_tray: false } },
      { change: { notifications: "all" } },
      { change: { quit_deadline_seconds: 0 } },
      { change: { language: "de" } },
    ]);
  });

  it("keep a deadline that is in no list", async () => {
    await open({ quit_deadline_seconds: 45 });
    expect(screen.getByRole("combobox", { name: "Wait for jobs when quitting" })).toHaveDisplayValue("45 seconds");
  });

  it("go back to what is when something could not be set, and say why", async () => {
    const { user, refuse } = await open();
    refuse("settings_set", "the disk is full", "make room");
    const autostart = screen.getByRole("switch", { name: "Start with the system" });
    await user.click(autostart);
    expect(await screen.findByRole("alert")).toHaveTextContent("That did not work" + "the disk is full" + "make room");
    expect(autostart).not.toBeChecked();
  });

  it("cannot be set where the shell says why not", async () => {
    await open({ start_with_system: { on: false, reason: "This system starts no apps." } });
    expect(screen.getByRole("switch", { name: "Start with the system" })).toBeDisabled();
    expect(screen.getByText("This system starts no apps.")).toBeVisible();
  });

  it("change their language at once", async () => {
    const { show } = await open();
    show({ language: "de", words: wordsOf("de", "settings-"), language_choice: "de" });
    await screen.findByRole("heading", { level: 1, name: "Einstellungen" });
    expect(document.documentElement.lang).toBe("de");
    expect(screen.getByRole("combobox", { name: "Beim Beenden auf Aufträge warten" })).toHaveDisplayValue("1 Minute");
  });

  it("open the folders", async () => {
    const { user, called } = await open();
    await user.click(screen.getByRole("button", { name: "Open the data folder" }));
    await user.click(screen.getByRole("button", { name: "Open the log folder" }));
    expect(called.map(({ args }) => args)).toEqual([{ place: "data" }, { place: "logs" }]);
  });
});

describe("the reset", () => {
  async function openPlan() {
    const shell = await open();
    shell.answer("reset_plan", PLAN);
    await shell.user.click(screen.getByRole("button", { name: "Show what would be deleted" }));
    return { ...shell, table: await screen.findByRole("table", { name: "This will be deleted" }) };
  }

  it("lists exactly what goes and what stays before anything does", async () => {
    const { called, table } = await openPlan();
    const rows = within(table).getAllByRole("row").map((row) => [...row.children].map((cell) => cell.textContent));
    expect(rows).toEqual([
      ["What", "Where", "Size"],
      ["Jobs", "/home/ada/flowork/shards", "1.4 MB"],
      ["The owner's key", "in the vault", "–"],
      ["Total", "1.4 MB"],
    ]);
    expect(screen.getByText("/home/ada/flowork/notes.txt")).toBeVisible();
    expect(called.map(({ command }) => command)).toEqual(["reset_plan"]);
    expect(screen.getByRole("heading", { name: "This will be deleted" })).toHaveFocus();
  });

  it("takes nothing but the typed word for a yes", async () => {
    const { user, called, answer } = await openPlan();
    const confirm = screen.getByRole("button", { name: "Delete all of this" });
    expect(confirm).toBeDisabled();
    await user.type(screen.getByLabelText(/To confirm, type/), "flowor{Enter}");
    expect(confirm).toBeDisabled();
    expect(called).toHaveLength(1);
    answer("reset_carry_out", { deleted_bytes: 1, left: [{ path: "/home/ada/flowork/logs", reason: "in use" }] });
    await user.type(screen.getByLabelText(/To confirm, type/), "k");
    await user.click(confirm);
    await screen.findByText("/home/ada/flowork/logs: in use");
    expect(called.at(-1)).toEqual({ command: "reset_carry_out", args: { plan: "7f", typed: "flowork" } });
    await user.click(screen.getByRole("button", { name: "Quit Flowork" }));
    expect(called.at(-1)?.command).toBe("reset_finish");
  });

  it("shows the new list when something has changed meanwhile", async () => {
    const { user, refuse, answer } = await openPlan();
    refuse("reset_carry_out", "Something has changed.");
    answer("reset_plan", { ...PLAN, items: [...PLAN.items, { what: "Snapshots", path: "/home/ada/flowork/snapshots", bytes: 5 }] });
    await user.type(screen.getByLabelText(/To confirm, type/), "flowork{Enter}");
    expect(await screen.findByRole("alert")).toHaveTextContent("Something has changed.");
    expect(screen.getByText("/home/ada/flowork/snapshots")).toBeVisible();
    expect(screen.getByRole("button", { name: "Delete all of this" }), "and asks again").toBeDisabled();
  });

  it("is left with the escape key, and cannot begin where the shell says why not", async () => {
    const { user, show } = await openPlan();
    await user.type(screen.getByLabelText(/To confirm, type/), "{Escape}");
    expect(screen.queryByRole("table")).not.toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Show what would be deleted" })).toHaveFocus();
    show({ reset: { reason: "Stop the service first." } });
    await waitFor(() => expect(screen.getByRole("button", { name: "Show what would be deleted" })).toBeDisabled());
    expect(screen.getByText("Stop the service first.")).toBeVisible();
  });
});
