// Live sessions as people use them: one clock in several windows, control with buttons and the keyboard, and looking on.
import assert from "node:assert/strict";
import { test } from "node:test";

import { startNode } from "../harness/node.mjs";
import { barriers, openBrowser, openPage, section, signIn } from "./gui.mjs";

/** How far apart two windows may be. */
const APART_MS_MAX = 50;
/** Pictures that are compared. */
const LOOKS = 11;
/** How wrong the clock of one of them is. */
const AHEAD_MS = 7_000;

test("session is made from a preset, started, switched, paused and completed", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await createFromPreset(page, "Chess clock");
  await participant(page, "White").waitFor();

  await page.getByRole("button", { name: "Start", exact: true }).click();
  await active(page, "White").waitFor();
  await page.getByRole("button", { name: "Switch", exact: true }).click();
  await active(page, "Black").waitFor();

  // The space bar does the same, wherever the focus is not on something that has a use for it.
  await page.getByRole("heading", { level: 1 }).click();
  await page.keyboard.press("Space");
  await active(page, "White").waitFor();
  await page.getByRole("button", { name: "Switch to Black" }).click();
  await active(page, "Black").waitFor();

  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByRole("button", { name: "Resume", exact: true }).waitFor();
  const paused = await clock(page);
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  assert.equal((await clock(page)).ms, paused.ms, "a paused clock stands still");

  await page.getByRole("button", { name: "Complete", exact: true }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Complete session" }).click();
  await page.getByText("Completed", { exact: true }).first().waitFor();
  for (const words of ["Made", "Started with White", "Switched to Black", "Paused", "Completed"]) {
    await section(page, "History").getByText(words, { exact: true }).first().waitFor();
  }
  assert.deepEqual(page.complaints, []);
});

test("every preset is a session that the node takes as it is, and that starts", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  const presets = {
    "Chess clock": ["per_participant", "end_session", "Time left"],
    Quiz: ["per_cycle", "auto_advance", "Time left"],
    Meeting: ["global", "none", "Time left"],
    Auction: ["per_cycle", "end_session", "Time left"],
    Stopwatch: ["count_up", "none", "Time"],
    "Own settings": ["per_group", "none", "Time left"],
  };
  for (const [preset, [mode, action, face]] of Object.entries(presets)) {
    const answered = page.waitForResponse((response) => response.request().method() === "POST" && response.url().endsWith("/v1/sessions"));
    await createFromPreset(page, preset);
    const { data } = await (await answered).json();
    assert.deepEqual([data.sync_mode, data.action_on_timeout], [mode, action], preset);
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.getByText("Running", { exact: true }).first().waitFor();
    const shown = section(page, "Clock").getByRole("timer", { name: face, exact: true });
    const first = await shown.getAttribute("datetime");
    await page.waitForFunction(([element, before]) => element.dateTime !== before, [await shown.elementHandle(), first]);
  }
  await openPage(page, "Live sessions");
  const entries = section(page, "Session list").getByRole("listitem");
  await entries.nth(Object.keys(presets).length - 1).waitFor();
  await page.getByRole("link", { name: "New live session" }).first().click();
  await section(page, "What it is for").getByRole("radio", { name: "Own settings" }).waitFor();
  const offered = await section(page, "What it is for").getByRole("radio").count();
  assert.equal(offered, Object.keys(presets).length, "no preset is left out here");
  assert.deepEqual(page.complaints, []);
});

test("two windows show the same clock, and both see at once what one of them does", async (t) => {
  const node = await startNode(t);
  const [one, other] = await Promise.all([openBrowser(t), openBrowser(t)]);
  // The clock of the other machine is wrong by more than anybody would overlook.
  await other.addInitScript((aheadMs) => {
    const { timeOrigin } = performance;
    Object.defineProperty(performance, "timeOrigin", { get: () => timeOrigin + aheadMs });
  }, AHEAD_MS);
  await signIn(one, node.link);
  await signIn(other, await node.newLink());
  await createFromPreset(one, "Chess clock");
  await other.goto(one.url());
  await one.getByRole("button", { name: "Start", exact: true }).click();
  await Promise.all([one, other].map((page) => active(page, "White").waitFor()));
  await Promise.all([one, other].map((page) => section(page, "Details").getByText(/to ±\d+ ms/).waitFor()));
  await section(other, "Details").getByText(/7\.\d s ahead of the node's/).waitFor();
  await assertAgree(one, other, "after the start");

  await other.getByRole("button", { name: "Switch", exact: true }).click();
  await Promise.all([one, other].map((page) => active(page, "Black").waitFor()));
  await assertAgree(one, other, "after a switch");

  await openPage(other, "Live sessions");
  const entry = section(other, "Session list").getByRole("listitem").filter({ hasText: "Chess" });
  await entry.getByText("Running").waitFor();
  await entry.getByText("Black").waitFor();
  await assertAgree(one, other, "in the list");
});

test("clock is right again soon after the machine slept", async (t) => {
  const node = await startNode(t);
  const [one, other] = await Promise.all([openBrowser(t), openBrowser(t)]);
  await signIn(one, node.link);
  await signIn(other, await node.newLink());
  await createFromPreset(one, "Chess clock");
  await other.goto(one.url());
  await one.getByRole("button", { name: "Start", exact: true }).click();
  await Promise.all([one, other].map((page) => active(page, "White").waitFor()));
  await Promise.all([one, other].map((page) => section(page, "Details").getByText(/to ±\d+ ms/).waitFor()));
  await assertAgree(one, other, "before");
  // What a browser's own clock does in a sleep: it stands still, while the time of day goes on.
  await other.evaluate((sleptMs) => {
    const now = performance.now.bind(performance);
    performance.now = () => now() - sleptMs;
  }, AHEAD_MS);
  await section(other, "Details").getByText(/[67]\.\d s behind the node's/).waitFor();
  await assertAgree(one, other, "after it");
});

test("history of a session that is gone is found by its id", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await createFromPreset(page, "Chess clock");
  const address = page.url();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await active(page, "White").waitFor();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete session" }).click();
  await page.getByRole("heading", { level: 1, name: "Live sessions" }).waitFor();

  await page.getByRole("textbox", { name: "A session that is not listed any more" }).fill(address);
  await page.getByRole("button", { name: "Show history" }).click();
  await page.waitForURL(address);
  await page.getByRole("heading", { level: 1, name: "This session is over" }).waitFor();
  await section(page, "History").getByText("Deleted", { exact: true }).waitFor();
  // A window that never saw it knows no names.
  await page.reload();
  for (const words of ["Made", "Started with Participant 1", "Deleted"]) {
    await section(page, "History").getByText(words, { exact: true }).waitFor();
  }
  assert.deepEqual(await barriers(page), [], "a session that is gone");
});

test("whoever presses after somebody else is told so, and nothing is done", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await createFromPreset(page, "Chess clock");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await active(page, "White").waitFor();
  // Another window is faster: the version that this one sends is an old one when it comes.
  await page.route("**/v1/sessions/*/switch", async (route) => {
    const headers = { ...route.request().headers(), "if-match": '"1"' };
    await route.continue({ headers });
  });
  await page.getByRole("button", { name: "Switch", exact: true }).click();
  const alert = page.getByRole("alert").filter({ hasText: "Somebody else was faster" });
  await alert.getByText(/You saw version 1; it is at version 2 now/).waitFor();
  await active(page, "White").waitFor();
  await page.unroute("**/v1/sessions/*/switch");
  await page.getByRole("button", { name: "Switch", exact: true }).click();
  await active(page, "Black").waitFor();
  await alert.waitFor({ state: "detached" });
});

test("guest looks on where the owner has opened it, and is told where not", async (t) => {
  const node = await startNode(t);
  const owner = await openBrowser(t);
  await signIn(owner, node.link);
  await createFromPreset(owner, "Stopwatch");
  const link = await section(owner, "Share").getByRole("status", { name: "Spectator link" }).textContent();
  assert.match(link, /\/spectate\/[0-9a-f-]{36}$/);
  const session = owner.url();

  const guest = await openBrowser(t, { viewport: { width: 360, height: 740 } });
  await guest.goto(link);
  await guest.getByRole("button", { name: "Look on as a guest" }).click();
  await guest.getByRole("alert").filter({ hasText: "not open to guests" }).waitFor();
  assert.deepEqual(await barriers(guest), [], "a closed door");

  await openPage(owner, "Members");
  const opened = owner.getByRole("checkbox", { name: "Open to guests: Sync sessions" });
  await opened.click();
  await owner.waitForFunction((box) => box.checked && !box.disabled, await opened.elementHandle());
  await owner.goto(session);
  await owner.getByRole("button", { name: "Start", exact: true }).click();
  await active(owner, "Time").waitFor();

  await guest.reload();
  const enter = guest.getByRole("button", { name: "Look on as a guest" });
  const running = guest.getByText("Running", { exact: true });
  await enter.or(running).first().waitFor();
  if (await enter.isVisible()) {
    await enter.click();
  }
  await running.waitFor();
  await assertAgree(owner, guest, "a guest and the owner");
  assert.deepEqual(await barriers(guest), [], "the spectator page");
  assert.equal(await guest.getByRole("button", { name: /Pause|Switch|Complete|Delete/ }).count(), 0);
  assert.equal(await overflow(guest), 0, "the clock fits a phone");

  await owner.getByRole("button", { name: "Delete", exact: true }).click();
  await owner.getByRole("alertdialog").getByRole("button", { name: "Delete session" }).click();
  await guest.getByRole("heading", { name: "This session is over" }).waitFor();
});

test("what the node refuses about a new session stands at its field", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t);
  await signIn(page, node.link);
  await openPage(page, "Live sessions");
  await page.getByRole("link", { name: "New live session" }).first().click();
  await page.getByRole("radio", { name: "Quiz" }).check();
  await page.getByLabel("Time for each turn", { exact: true }).fill("0.5");
  await page.getByLabel("Time of participant 2", { exact: true }).fill("9000");
  await page.getByRole("button", { name: "Create session" }).click();
  for (const label of ["Time for each turn", "Time of participant 2"]) {
    const field = page.getByLabel(label, { exact: true });
    await page.waitForFunction((input) => input.getAttribute("aria-invalid") === "true", await field.elementHandle());
    assert.match(await page.locator(`[id="${await field.getAttribute("id")}-errors"]`).textContent(), /must be between/);
  }
  assert.deepEqual(await barriers(page), [], "a form with mistakes");
});

for (const colorScheme of ["dark", "light"]) {
  test(`live sessions have no serious barrier in ${colorScheme}`, async (t) => {
    const node = await startNode(t);
    const page = await openBrowser(t, { colorScheme });
    await signIn(page, node.link);
    await openPage(page, "Live sessions");
    await page.getByText("No live sessions yet").waitFor();
    assert.deepEqual(await barriers(page), [], "an empty list");
    await createFromPreset(page, "Meeting");
    assert.deepEqual(await barriers(page), [], "a session that waits");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await active(page, "Speaker 1").waitFor();
    assert.deepEqual(await barriers(page), [], "a session that runs");
    await openPage(page, "Live sessions");
    await section(page, "Session list").getByRole("timer", { name: "Time left" }).waitFor();
    assert.deepEqual(await barriers(page), [], "a list");
  });
}

test("live sessions fit a narrow phone", async (t) => {
  const node = await startNode(t);
  const page = await openBrowser(t, { viewport: { width: 360, height: 740 } });
  await signIn(page, node.link);
  await page.getByRole("button", { name: "Open menu" }).click();
  await createFromPreset(page, "Chess clock");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await active(page, "White").waitFor();
  assert.equal(await overflow(page), 0, "the session");
  await page.getByRole("button", { name: "Open menu" }).click();
  await openPage(page, "Live sessions");
  await section(page, "Session list").getByRole("timer", { name: "Time left" }).waitFor();
  assert.equal(await overflow(page), 0, "the list");
});

/** By how many pixels the page is wider than the screen. */
function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

/** Makes a session as the preset has it, and waits for its page. */
async function createFromPreset(page, preset) {
  await openPage(page, "Live sessions");
  await page.getByRole("link", { name: "New live session" }).first().click();
  await page.getByRole("radio", { name: preset }).check();
  await page.getByRole("button", { name: "Create session" }).click();
  await page.waitForURL(/\/sync\/[0-9a-f-]{36}$/);
  await page.getByRole("status", { name: "Connection of this session" }).filter({ hasText: "In sync" }).waitFor();
}

function participant(page, name) {
  return section(page, "Participants").getByRole("listitem", { name, exact: true });
}

/** A participant while they are the active one. */
function active(page, name) {
  return participant(page, name).filter({ has: page.getByText("Active", { exact: true }) });
}

/** Reads the first clock of a page as it is drawn, and this machine's time at that picture. */
function clock(page) {
  return page.evaluate(
    () =>
      new Promise((resolve) => {
        requestAnimationFrame(() => {
          const element = document.querySelector("main time[role=timer]");
          resolve({
            ms: Number(/^PT([\d.]+)S$/.exec(element.dateTime)[1]) * 1_000,
            isDown: element.getAttribute("aria-label") === "Time left",
            atMs: Date.now(),
          });
        });
      }),
  );
}

/** The instant at which a clock is out, or was at zero: equal for all who show the same. */
async function zeroOf(page) {
  const { ms, isDown, atMs } = await clock(page);
  return isDown ? atMs + ms : atMs - ms;
}

/** Judges by the median of what is seen: a machine that is busy draws one picture late, a clock that is wrong most of them. */
async function assertAgree(one, other, when) {
  const apart = [];
  for (let look = 0; look < LOOKS; look += 1) {
    const [mine, theirs] = await Promise.all([zeroOf(one), zeroOf(other)]);
    apart.push(Math.abs(mine - theirs));
  }
  const median = apart.toSorted((left, right) => left - right)[(LOOKS - 1) / 2];
  assert.ok(median <= APART_MS_MAX, `${when}: the clocks are ${median} ms apart, of ${apart.join(", ")}`);
}
