//! What people decide about the work of the node: first stored, then in force, one decision after the other.

use std::{future::Future, sync::Arc};

use flowork_control::{ControlStore, Policies};
use flowork_engine::Engines;

use crate::{app::AppState, error::ApiError};

/// Puts in force what people decided, as far as it is not what they had decided before. At the start of the node that
/// was nothing, and the engines drain, so that no job is claimed that is now held back.
pub fn enforce(before: &Policies, now: &Policies, engines: &Engines) {
    if before.paused_queues != now.paused_queues {
        engines.set_paused_queues(&now.paused_queues.keys().cloned().collect());
    }
    if before.limits != now.limits {
        let rules: Vec<_> = now.limits.values().map(|record| record.rule.clone()).collect();
        engines.set_limits(&rules);
    }
    for engine_id in before.workers.keys().chain(now.workers.keys()) {
        let number = |policies: &Policies| policies.workers.get(engine_id).map(|record| record.workers);
        if number(before) != number(now)
            && let Err(error) = engines.fix_workers(*engine_id, number(now))
        {
            tracing::warn!(%engine_id, %error, "the number of workers that was decided on is not in force");
        }
    }
    // A drain because the node stops is not what people decided, and may be taken back.
    let draining = now.drain.is_some();
    if engines.drain_is_asked() != draining {
        engines.drain(draining);
    }
}

/// Stores a decision and puts it in force.
pub(crate) async fn change<T, E, F>(
    app: &AppState,
    store: impl FnOnce(ControlStore) -> F + Send + 'static,
) -> Result<T, ApiError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, E>> + Send,
    ApiError: From<E>,
{
    let app = Arc::clone(app);
    // A task of its own: half of it would leave something stored that is not in force.
    let changed = tokio::spawn(async move {
        let _in_turn = app.policy_changes.lock().await;
        let control = &app.state.control;
        let before = control.policies();
        let stored = store(control.clone()).await?;
        enforce(&before, &control.policies(), &app.state.engines);
        Ok(stored)
    });
    changed.await.map_err(ApiError::internal)?
}
