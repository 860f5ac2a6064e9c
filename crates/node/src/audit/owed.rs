//! What was done to a node from the command line while it was stopped, and is to be in its audit log.
//!
//! The log's key is in the vault, which a person may have to open, and the way back in must work without. So it is noted
//! in the control store, together with what it changes there, and written at the next start. What changes nothing there
//! is noted beside the log: see [`note`](super::note).

use flowork_api_types::Timestamp;
use flowork_audit::{Actor, Audit, Entry};
use flowork_control::{ControlStore, SETTING_BYTES_MAX, StoreError};
use flowork_vault::BackEnd;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Under which name the control store keeps what is owed.
const OWED: &str = "audit.owed";
/// Under which name it keeps the back end of the vault at the last start.
const BACK_END: &str = "audit.vault_back_end";

#[derive(Serialize, Deserialize)]
struct Owed {
    at: Timestamp,
    action: String,
    detail: Value,
}

/// Notes what was done. When that is too much, the oldest of it is left out.
///
/// # Errors
/// The control store failed.
pub(crate) async fn owe(control: &ControlStore, action: &str, detail: Value, now: Timestamp) -> Result<(), StoreError> {
    let mut owed = read(control).await?;
    owed.push(Owed { at: now, action: action.to_owned(), detail });
    loop {
        let text = serde_json::to_string(&owed).unwrap_or_default();
        if text.len() <= SETTING_BYTES_MAX {
            return control.set_setting(OWED, Some(&text)).await;
        }
        owed.remove(0);
    }
}

/// Writes what is owed, and that the secrets were moved since the last start.
///
/// # Errors
/// The control store or the log failed. What was not written is still owed.
pub(super) async fn pay(audit: &Audit, control: &ControlStore, back_end: BackEnd) -> Result<(), StoreError> {
    let machine = |action: &str, detail: &Value| Entry::new(Actor::machine(), action).detail(detail);
    let owed = read(control).await?;
    let mut entries: Vec<_> =
        owed.iter().map(|owed| machine(&owed.action, &json!({"done_at": owed.at, "detail": owed.detail}))).collect();
    let before = control.setting(BACK_END).await?;
    let moved = before.as_deref().is_some_and(|before| before != back_end.as_str());
    if moved {
        entries.push(machine("vault.migrate", &json!({"from": before, "to": back_end.as_str()})));
    }
    if !entries.is_empty() {
        audit.record_all(entries).await?;
    }
    if !owed.is_empty() {
        control.set_setting(OWED, None).await?;
    }
    if moved || before.is_none() {
        control.set_setting(BACK_END, Some(back_end.as_str())).await?;
    }
    Ok(())
}

async fn read(control: &ControlStore) -> Result<Vec<Owed>, StoreError> {
    let text = control.setting(OWED).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn too_much_that_is_owed_leaves_the_newest() {
        let directory = tempfile::tempdir().unwrap();
        let control = ControlStore::open(&directory.path().join("control.db")).await.unwrap();
        for number in 0..200 {
            owe(&control, "session.reset", json!({"number": number}), Timestamp(number)).await.unwrap();
        }
        let owed = read(&control).await.unwrap();
        assert!(owed.len() > 10 && owed.last().unwrap().detail["number"] == 199, "{}", owed.len());
        control.close().await;
    }
}
