//! What the leaving window shows and asks for.

use std::collections::BTreeMap;
use std::time::Instant;

use flowork_shell::{Arg, Words};
use serde::Serialize;
use tauri::AppHandle;

use super::{Refusal, unseen};
use crate::ending::{Shown, Step};
use crate::shell::Shell;

/// What the window shows.
#[derive(Debug, Serialize)]
pub(crate) struct LeavingView {
    revision: u64,
    language: &'static str,
    words: BTreeMap<String, String>,
    phase: &'static str,
    left: u32,
    line: String,
    deadline_in_ms: Option<u64>,
    can_keep_running: bool,
}

impl LeavingView {
    fn of(shown: Shown, words: &Words, now: Instant) -> Self {
        let (phase, left, deadline) = match shown.step {
            Step::Draining { left, deadline } => ("draining", left, Some(deadline)),
            Step::Stopping => ("stopping", 0, None),
            Step::Done => ("done", 0, None),
        };
        let line = match shown.step {
            Step::Draining { left, .. } => words.format("leaving-draining", &[("left", Arg::Number(left.into()))]),
            Step::Stopping | Step::Done => words.text("leaving-stopping"),
        };
        Self {
            revision: shown.revision,
            language: words.language(),
            words: words.page("leaving"),
            phase,
            left,
            line,
            deadline_in_ms: deadline.map(|deadline| deadline.saturating_duration_since(now).as_millis() as u64),
            can_keep_running: deadline.is_some(),
        }
    }
}

/// Tells what the window shows, as soon as it is something else than what it has seen.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn leaving_view(app: AppHandle, seen: Option<u64>) -> Result<LeavingView, Refusal> {
    let shell = Shell::of(&app);
    let shown = unseen(&shell.leaving, seen, |shown| shown.revision).await;
    let shown = shown.ok_or_else(|| Refusal::saying(shell.words().text("leaving-stopping")))?;
    Ok(LeavingView::of(shown, &shell.words(), Instant::now()))
}

/// Does not wait for jobs any longer.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn leaving_quit_now(app: AppHandle) {
    Shell::of(&app).force();
}

/// Keeps the node and the app running.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn leaving_keep_running(app: AppHandle) {
    Shell::of(&app).keep_running();
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use flowork_shell::Language;

    use super::*;

    #[test]
    fn window_says_what_is_left_and_until_when() {
        let words = Words::load(&Language::Tag("en".to_owned()));
        let now = Instant::now();
        let step = Step::Draining { left: 3, deadline: now + Duration::from_secs(9) };
        let view = LeavingView::of(Shown { revision: 4, step }, &words, now);
        assert_eq!((view.phase, view.left, view.deadline_in_ms), ("draining", 3, Some(9000)));
        assert!(view.line.contains('3') && view.can_keep_running, "{view:?}");
        let late = LeavingView::of(Shown { revision: 4, step }, &words, now + Duration::from_mins(1));
        assert_eq!(late.deadline_in_ms, Some(0), "never below nothing");
    }

    #[test]
    fn node_that_is_being_stopped_cannot_be_kept() {
        let words = Words::load(&Language::Tag("en".to_owned()));
        let view = LeavingView::of(Shown { revision: 5, step: Step::Stopping }, &words, Instant::now());
        assert!(!view.can_keep_running && view.deadline_in_ms.is_none());
        assert_eq!(view.phase, "stopping");
    }
}
