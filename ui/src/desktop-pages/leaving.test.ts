import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { fakeShell, openPage, wordsOf } from "./test-shell";

const VIEW = {
  language: "en",
  words: wordsOf("en", "leaving-"),
  phase: "draining",
  left: 3,
  line: "Draining, 3 jobs left",
  deadline_in_ms: 60_000,
  can_keep_running: true,
};

async function open(change: object = {}) {
  const shell = fakeShell("leaving_view", { ...VIEW, ...change });
  await openPage("leaving", "leaving");
  await screen.findByRole("heading", { name: "Quitting Flowork" });
  return { ...shell, user: userEvent.setup({ delay: null }) };
}

afterEach(() => void Reflect.deleteProperty(window, "__TAURI_INTERNALS__"));

describe("the window of quitting", () => {
  it("says how many jobs are left and offers both ways out", async () => {
    const { called, user } = await open();
    expect(screen.getByRole("status")).toHaveTextContent("Draining, 3 jobs left");
    await user.click(screen.getByRole("button", { name: "Keep running" }));
    await user.click(screen.getByRole("button", { name: "Quit now" }));
    await user.keyboard("{Escape}");
    expect(called.map(({ command }) => command)).toEqual(["leaving_keep_running", "leaving_quit_now", "leaving_keep_running"]);
  });

  it("follows the drain, and takes nothing back once the node stops", async () => {
    const { called, user, show } = await open();
    show({ left: 1, line: "Draining, 1 job left" });
    await waitFor(() => expect(screen.getByRole("status")).toHaveTextContent("Draining, 1 job left"));
    show({ phase: "stopping", left: 0, line: "Stopping the node", deadline_in_ms: null, can_keep_running: false });
    await waitFor(() => expect(screen.getByRole("status")).toHaveTextContent("Stopping the node"));
    for (const name of ["Keep running", "Quit now"]) expect(screen.getByRole("button", { name })).toBeDisabled();
    expect(screen.queryByRole("timer")).not.toBeInTheDocument();
    await user.keyboard("{Escape}");
    expect(called).toEqual([]);
  });

  it("says why something was not done", async () => {
    const { refuse, user } = await open();
    refuse("leaving_keep_running", "the node is stopping already");
    await user.click(screen.getByRole("button", { name: "Keep running" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("the node is stopping already");
  });
});

describe("its deadline", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("counts down by itself, and goes by what the shell says", async () => {
    const shell = fakeShell("leaving_view", VIEW);
    await openPage("leaving", "leaving");
    await vi.advanceTimersByTimeAsync(0);
    const clock = screen.getByRole("timer", { name: "Time left" });
    expect(clock).toHaveTextContent("1:00");
    await vi.advanceTimersByTimeAsync(5_000);
    expect(clock).toHaveTextContent("0:55");
    shell.show({ deadline_in_ms: 9_500 });
    await vi.advanceTimersByTimeAsync(0);
    expect(clock).toHaveTextContent("0:10");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(clock).toHaveTextContent("0:00");
  });
});
