//! Deleting everything that Flowork keeps for this data directory: first exactly what, then that and nothing else.

use flowork_shell::{ResetError, ResetPlan, ResetTarget, Words, reset};
use serde::Serialize;
use tauri::{AppHandle, Manager};

use super::{Refusal, blocking};
use crate::ending::Then;
use crate::shell::Shell;
use crate::window::MAIN;

/// What would be deleted, and what a person has to type so that it is.
#[derive(Debug, Serialize)]
pub(crate) struct PlanView {
    plan: String,
    total_bytes: u64,
    phrase: String,
    items: Vec<ItemView>,
    kept: Vec<String>,
}

/// One thing that would be deleted.
#[derive(Debug, Serialize)]
struct ItemView {
    what: String,
    /// None for what is in the vault.
    path: Option<String>,
    bytes: Option<u64>,
}

/// What became of it.
#[derive(Debug, Serialize)]
pub(crate) struct DoneView {
    deleted_bytes: u64,
    left: Vec<LeftView>,
}

/// Something that could not be deleted.
#[derive(Debug, Serialize)]
struct LeftView {
    path: String,
    reason: String,
}

impl PlanView {
    fn of(plan: &ResetPlan, words: &Words) -> Self {
        let files = plan.items.iter().map(|item| ItemView {
            what: words.text(item.what),
            path: Some(item.path.display().to_string()),
            bytes: Some(item.bytes),
        });
        let in_vault = |what: String| ItemView { what, path: None, bytes: None };
        let vault = words.text("reset-vault");
        let secrets = plan.secrets.iter().map(|name| in_vault(format!("{vault}: {name}")));
        let key = plan.vault.iter().map(|keeper| in_vault(format!("{}: {keeper}", words.text("reset-vault-key"))));
        Self {
            plan: mark(plan),
            total_bytes: plan.bytes(),
            phrase: phrase(plan),
            items: files.chain(secrets).chain(key).collect(),
            kept: plan.kept.iter().map(|path| path.display().to_string()).collect(),
        }
    }
}

/// Tells plans apart: the one that a person agreed to from any other.
fn mark(plan: &ResetPlan) -> String {
    blake3::hash(format!("{plan:?}").as_bytes()).to_hex().to_string()
}

/// What a person types to show that they mean it.
fn phrase(plan: &ResetPlan) -> String {
    let name = plan.data_dir.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "flowork".to_owned())
}

/// Says what would be deleted. Nothing is.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn reset_plan(app: AppHandle) -> Result<PlanView, Refusal> {
    let shell = Shell::of(&app);
    let target = target(&shell).await?;
    let plan = blocking(move || reset::plan(&target)).await?.map_err(|error| Refusal::of(&error, error.hint()))?;
    let view = PlanView::of(&plan, &shell.words());
    shell.state().reset = Some((view.plan.clone(), plan));
    Ok(view)
}

/// Stops the node and deletes what is in the plan, if it is the one that the person agreed to.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn reset_carry_out(app: AppHandle, plan: String, typed: String) -> Result<DoneView, Refusal> {
    let shell = Shell::of(&app);
    let words = shell.words();
    let agreed = shell.state().reset.clone().filter(|(mark, _)| *mark == plan).map(|(_, plan)| plan);
    let Some(agreed) = agreed else { return Err(Refusal::saying(words.text("settings-reset-changed"))) };
    if typed.trim() != phrase(&agreed) {
        return Err(Refusal::saying(words.text("settings-reset-mistyped")));
    }
    if shell.state().node.as_ref().is_some_and(|node| node.own.is_none()) {
        return Err(Refusal::saying(words.text("settings-reset-attached")));
    }
    let target = target(&shell).await?;
    // Its pages are among what goes, and it has nothing to show any more.
    if let Some(main) = app.get_webview_window(MAIN)
        && let Err(error) = main.destroy()
    {
        tracing::debug!(%error, "the window could not be closed");
    }
    shell.state().was_reset = true;
    shell.stop_at_once(&app).await;
    shell.state().stop_looking_out();
    shell.close_log();
    let done = blocking(move || reset::carry_out(&target, &agreed)).await?;
    match done {
        Ok(done) => {
            let key = words.text("reset-vault-key");
            let left = done.left.into_iter().map(|reason| LeftView { path: key.clone(), reason });
            Ok(DoneView { deleted_bytes: done.bytes, left: left.collect() })
        }
        Err(error) => {
            shell.state().was_reset = false;
            shell.open_log();
            shell.look_out(&app);
            Err(match error {
                ResetError::Changed => Refusal::saying(words.text("settings-reset-changed")),
                error => Refusal::of(&error, error.hint()),
            })
        }
    }
}

/// Ends the app after a reset.
#[tauri::command(rename_all = "snake_case")]
pub(crate) async fn reset_finish(app: AppHandle) {
    Shell::of(&app).end(&app, Then::Exit, false);
}

async fn target(shell: &Shell) -> Result<ResetTarget, Refusal> {
    let flags = shell.arguments.flags(false);
    blocking(move || ResetTarget::find(&flags)).await?.map_err(|error| Refusal::of(&error, error.hint()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use flowork_shell::{Language, ResetItem};

    use super::*;

    fn plan() -> ResetPlan {
        ResetPlan {
            data_dir: PathBuf::from("/home/a/.local/share/flowork"),
            items: vec![
                ResetItem { path: PathBuf::from("/home/a/.local/share/flowork/shards"), what: "reset-jobs", bytes: 5 },
                ResetItem { path: PathBuf::from("/home/a/.local/share/flowork/logs"), what: "reset-logs", bytes: 7 },
            ],
            secrets: vec!["jwt/user".to_owned()],
            vault: Some("keychain".to_owned()),
            kept: vec![PathBuf::from("/home/a/.local/share/flowork/notes.txt")],
        }
    }

    #[test]
    fn person_sees_all_of_it_and_types_the_name_of_the_folder() {
        let view = PlanView::of(&plan(), &Words::load(&Language::Tag("en".to_owned())));
        assert_eq!((view.total_bytes, view.phrase.as_str()), (12, "flowork"));
        assert_eq!(view.items.len(), 4, "files, secrets and the key: {view:?}");
        assert!(view.items.iter().any(|item| item.path.is_none() && item.what.contains("jwt/user")), "{view:?}");
        assert_eq!(view.kept, ["/home/a/.local/share/flowork/notes.txt"]);
    }

    #[test]
    fn another_plan_is_told_from_the_one_agreed_to() {
        let mut other = plan();
        other.items[0].bytes += 1;
        assert_eq!(mark(&plan()), mark(&plan()));
        assert_ne!(mark(&plan()), mark(&other));
    }
}
