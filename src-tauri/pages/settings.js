// The settings of the app.

import { languageName, spanText } from "./parts/figures.js";
import { startReset } from "./parts/reset.js";
import { call, follow } from "./parts/shell.js";
import { element, setText, showFailure, showIf, showWords } from "./parts/words.js";

/** What can be chosen; what is set otherwise is there, too. */
const DEADLINES_S = [0, 10, 30, 60, 300, 900, 3_600];

const at = (id) => document.getElementById(id);
const drawReset = startReset();
let view;

function draw(next) {
  view = next;
  showWords(view);
  setText(at("version"), `Flowork ${view.version}`);
  drawNotices();
  drawNode();
  drawChoices();
  drawControls();
  for (const { name, path } of view.places) setText(document.querySelector(`[data-place="${name}"] code`), path);
  drawReset(view);
}

function drawNotices() {
  const said = JSON.stringify(view.notices);
  // Drawn anew only where they are others, so that nothing is read aloud twice.
  if (at("notices").dataset.said === said) return;
  at("notices").dataset.said = said;
  at("notices").replaceChildren(
    ...view.notices.map(({ message, hint }) => {
      const notice = element("div", "", "callout warn");
      notice.append(element("p", message, "title"));
      if (hint) notice.append(element("p", hint, "soft"));
      return notice;
    }),
  );
}

function drawNode() {
  setText(at("hosting"), view.hosting.line);
  setText(at("address"), view.hosting.url ?? "");
  at("address-row").hidden = !view.hosting.url;
  setText(at("tray"), view.tray.line);
  showIf(at("tray-hint"), view.tray.hint);
  setText(at("recovery"), view.recovery.line);
  at("leave-recovery").hidden = !view.recovery.on;
}

/** The lists to choose from, drawn anew only where they are others: one that is open would close. */
function drawChoices() {
  const { language, languages, quit_deadline_seconds: deadline, words } = view;
  const deadlines = [...new Set([...DEADLINES_S, deadline])].sort((one, other) => one - other);
  fill(at("deadline"), deadlines.map((seconds) => [String(seconds), seconds === 0 ? words["settings-deadline-none"] : spanText(seconds, language)]));
  fill(at("language"), [["system", words["settings-language-system"]], ...languages.map((tag) => [tag, languageName(tag)])]);
}

function fill(select, choices) {
  const said = JSON.stringify(choices);
  if (select.dataset.said === said) return;
  select.dataset.said = said;
  select.replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
}

/** Shows what is set. */
function drawControls() {
  drawSwitch("start-with-system", view.start_with_system);
  at("open-links-row").hidden = !view.open_links;
  if (view.open_links) drawSwitch("open-links", view.open_links);
  at("keep-in-tray").checked = view.keep_in_tray;
  at("notifications").value = view.notifications;
  at("deadline").value = String(view.quit_deadline_seconds);
  at("language").value = view.language_choice;
}

function drawSwitch(id, { on, reason }) {
  at(id).checked = on;
  at(id).disabled = Boolean(reason);
  showIf(at(`${id}-reason`), reason);
}

/** Does what somebody asked for, and says so if it was not done. */
async function attempt(task) {
  showFailure(at("failure"));
  try {
    await task();
  } catch (error) {
    // Whatever was clicked, what is shown is what is.
    drawControls();
    showFailure(at("failure"), view.words["settings-failed"], error);
    at("failure").scrollIntoView({ block: "nearest" });
  }
}

function setOnChange(id, read) {
  at(id).addEventListener("change", () => void attempt(() => call("settings_set", { change: read(at(id)) })));
}

setOnChange("start-with-system", ({ checked }) => ({ start_with_system: checked }));
setOnChange("open-links", ({ checked }) => ({ open_links: checked }));
setOnChange("keep-in-tray", ({ checked }) => ({ keep_in_tray: checked }));
setOnChange("notifications", ({ value }) => ({ notifications: value }));
setOnChange("deadline", ({ value }) => ({ quit_deadline_seconds: Number(value) }));
setOnChange("language", ({ value }) => ({ language: value }));
at("leave-recovery").addEventListener("click", () => void attempt(() => call("settings_leave_recovery")));
for (const setting of document.querySelectorAll("[data-place]")) {
  const { place } = setting.dataset;
  setting.querySelector("button").addEventListener("click", () => void attempt(() => call("settings_open_place", { place })));
}

void follow("settings_view", draw);
