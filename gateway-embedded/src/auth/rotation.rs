//! The one timer of the keys that sign tokens. It sleeps until a key is to be replaced or forgotten.

use std::{sync::Arc, time::Duration};

use flowork_api_types::{Timestamp, admin::SigningKey};
use flowork_audit::{Actor, Entry};
use flowork_engine::clock::wall_now;
use flowork_tokens::TokenKeys;
use serde_json::json;

use crate::app::App;

/// The longest sleep. Timers stand still while a machine sleeps, so that a key would be replaced late by as much.
const SLEEP_MAX: Duration = Duration::from_hours(12);
/// How long to wait when the vault did not keep a new key.
const VAULT_RETRY: Duration = Duration::from_mins(5);

/// Replaces and forgets keys when it is time, until the gateway stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut wait = Duration::ZERO;
    loop {
        tokio::select! {
            biased;
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            () = app.keys_changed.notified() => {}
        }
        let tokens = app.state.tokens.clone();
        let before = signing(&tokens);
        let done = tokio::task::spawn_blocking(move || tokens.do_what_is_due(wall_now())).await;
        tell(&app, &before).await;
        wait = match done {
            Ok(Ok(())) => until(app.state.tokens.next_due()),
            Ok(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the keys that sign tokens were not rotated");
                VAULT_RETRY
            }
            Err(error) => {
                tracing::error!(%error, "rotating the keys that sign tokens crashed");
                VAULT_RETRY
            }
        };
    }
}

/// The key of each set that signs now.
fn signing(tokens: &TokenKeys) -> Vec<SigningKey> {
    let mut keys = tokens.list();
    // The newest of a set comes first.
    keys.dedup_by_key(|key| key.set);
    keys
}

/// Writes rotations to the audit log.
async fn tell(app: &App, before: &[SigningKey]) {
    let now = signing(&app.state.tokens);
    let new = now.iter().filter(|key| before.iter().all(|old| old.kid != key.kid));
    let entry = |key: &SigningKey| {
        Entry::new(Actor::node(), "key.rotate").object(key.kid.clone()).detail(&json!({"set": key.set}))
    };
    let entries: Vec<_> = new.map(entry).collect();
    if !entries.is_empty()
        && let Err(error) = app.state.audit.record_all(entries).await
    {
        tracing::error!(error = ?error, "the rotation of a key could not be written to the audit log");
    }
}

fn until(due: Option<Timestamp>) -> Duration {
    let left = due.map_or(i64::MAX, |due| due.as_millis().saturating_sub(wall_now().as_millis())).max(0);
    Duration::from_millis(left as u64).min(SLEEP_MAX)
}
