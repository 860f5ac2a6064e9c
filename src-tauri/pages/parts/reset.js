// The reset: first the exact list, then a typed confirmation, then what came of it.

import { bytesText } from "./figures.js";
import { call } from "./shell.js";
import { element, setText, showFailure, showIf } from "./words.js";

const at = (id) => document.getElementById(`reset-${id}`);

/** Runs the part of the page that resets. Returns what is to be called with each view. */
export function startReset() {
  let view;
  let plan;

  const word = (id) => view?.words[`settings-reset-${id}`] ?? "";

  function show(step) {
    at("begin").hidden = step !== "rest";
    at("plan").hidden = step !== "plan";
    at("done").hidden = step !== "done";
    // There is nothing left that could be set.
    for (const section of document.querySelectorAll("main > section")) {
      section.inert = step === "done" && !section.contains(at("done"));
    }
  }

  async function look() {
    setText(at("state"), word("looking"));
    at("begin").disabled = true;
    try {
      plan = await call("reset_plan");
      drawPlan();
      show("plan");
      at("list-title").focus();
    } catch (error) {
      showFailure(at("failure"), view.words["settings-failed"], error);
      show("rest");
    }
    setText(at("state"), "");
    settle();
  }

  function drawPlan() {
    const { items, kept = [], phrase, total_bytes: total } = plan;
    at("items").replaceChildren(...items.map(row));
    setText(at("total"), bytesText(total, view.language));
    list(at("kept"), kept);
    setText(at("phrase"), phrase);
    at("typed").value = "";
    settle();
  }

  function row({ what, path, bytes }) {
    const line = document.createElement("tr");
    const where = document.createElement("td");
    where.append(path === null ? word("vault") : element("code", path));
    const size = bytes === null ? "–" : bytesText(bytes, view.language);
    line.append(element("td", what), where, element("td", size, "size"));
    return line;
  }

  function list(place, lines) {
    place.hidden = lines.length === 0;
    place.querySelector("ul").replaceChildren(...lines.map((line) => element("li", line)));
  }

  /** What may be pressed now. */
  function settle() {
    at("begin").disabled = Boolean(view?.reset.reason);
    at("confirm").disabled = plan === undefined || at("typed").value.trim() !== plan.phrase;
  }

  async function carryOut() {
    const typed = at("typed").value.trim();
    showFailure(at("failure"));
    setText(at("state"), word("working"));
    at("plan").hidden = true;
    try {
      const { left } = await call("reset_carry_out", { plan: plan.plan, typed });
      setText(at("state"), left.length === 0 ? word("done") : "");
      list(at("left"), left.map(({ path, reason }) => `${path}: ${reason}`));
      show("done");
      at("finish").focus();
    } catch (error) {
      // The list may be old now, so it is made anew.
      await look();
      showFailure(at("failure"), view.words["settings-failed"], error);
    }
  }

  function cancel() {
    plan = undefined;
    showFailure(at("failure"));
    show("rest");
    settle();
    at("begin").focus();
  }

  at("begin").addEventListener("click", () => {
    showFailure(at("failure"));
    void look();
  });
  at("cancel").addEventListener("click", cancel);
  at("typed").addEventListener("input", settle);
  at("plan").addEventListener("keydown", (event) => {
    if (event.key === "Escape") cancel();
  });
  at("plan").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!at("confirm").disabled) void carryOut();
  });
  at("finish").addEventListener("click", () => void call("reset_finish"));

  return (next) => {
    const isOtherLanguage = view !== undefined && view.language !== next.language;
    view = next;
    showIf(at("reason"), next.reset.reason);
    if (isOtherLanguage && !at("plan").hidden) void look();
    settle();
  };
}
