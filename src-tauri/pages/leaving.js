// Quitting: how many jobs are left, how long they may take, and the two ways out of waiting.

import { clockText } from "./parts/figures.js";
import { call, follow } from "./parts/shell.js";
import { setText, showFailure, showWords } from "./parts/words.js";

const at = (id) => document.getElementById(id);
/** When the deadline passes, by this page's own clock; `undefined` without one. */
let endsAtMs;
let wholeMs = 0;
let ticking;

function draw(view) {
  showWords(view);
  setText(at("line"), view.line);
  at("keep-running").disabled = !view.can_keep_running;
  at("quit-now").disabled = view.phase !== "draining";
  const leftMs = view.deadline_in_ms;
  endsAtMs = leftMs === null ? undefined : performance.now() + leftMs;
  wholeMs = Math.max(wholeMs, leftMs ?? 0);
  at("deadline").hidden = endsAtMs === undefined;
  tick();
}

/** Counts down, once for each second and not in between. */
function tick() {
  clearTimeout(ticking);
  if (endsAtMs === undefined) return;
  const leftMs = Math.max(0, endsAtMs - performance.now());
  setText(at("left"), clockText(leftMs));
  at("bar").value = wholeMs === 0 ? 0 : leftMs / wholeMs;
  if (leftMs > 0) ticking = setTimeout(tick, leftMs % 1_000 || 1_000);
}

async function attempt(command) {
  showFailure(at("failure"));
  try {
    await call(command);
  } catch (error) {
    showFailure(at("failure"), undefined, error);
  }
}

at("keep-running").addEventListener("click", () => void attempt("leaving_keep_running"));
at("quit-now").addEventListener("click", () => void attempt("leaving_quit_now"));
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !at("keep-running").disabled) void attempt("leaving_keep_running");
});

void follow("leaving_view", draw);
