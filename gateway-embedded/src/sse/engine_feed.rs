//! What the node wants of one engine.

use std::time::Duration;

use axum::response::sse;
use flowork_api_types::engine::Directive;
use flowork_control::ControlStore;
use flowork_engine::jobs::directives::DirectiveFeed;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Feed, STREAM_AGE_MAX, bye};
use crate::{app::App, auth::person::EnginePass};

/// The feed of `GET /v1/engine/directives`.
pub(crate) struct EngineFeed {
    directives: DirectiveFeed,
    stopping: CancellationToken,
    pass: EnginePass,
    control: ControlStore,
    token_ends: watch::Receiver<u64>,
    ends: Instant,
    over: bool,
}

impl EngineFeed {
    pub(crate) fn new(app: &App, directives: DirectiveFeed, pass: EnginePass) -> Self {
        let control = app.state.control.clone();
        let left = pass.proof.until.map(|until| until.as_millis() - app.state.clock.now().as_millis());
        let age_max = left.map_or(STREAM_AGE_MAX, |ms| Duration::from_millis(ms.max(0) as u64).min(STREAM_AGE_MAX));
        Self {
            directives,
            stopping: app.stopping.clone(),
            pass,
            token_ends: control.engine_token_ends(),
            control,
            ends: Instant::now() + age_max,
            over: false,
        }
    }

    fn say_bye(&mut self, reason: &str) -> sse::Event {
        self.over = true;
        bye(reason)
    }
}

impl Feed for EngineFeed {
    async fn next(&mut self) -> Option<sse::Event> {
        if self.over {
            return None;
        }
        let directive = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return Some(self.say_bye("stopping")),
            () = revoked(&self.pass, &self.control, &mut self.token_ends) => return Some(self.say_bye("token_revoked")),
            () = sleep_until(self.ends) => return Some(self.say_bye("too_old")),
            directive = self.directives.next() => directive,
        };
        let data = serde_json::to_string(&directive).expect("directives are plain data");
        Some(sse::Event::default().event(type_of(directive)).data(data))
    }
}

/// Resolves once the engine's token was revoked. Dropping the future loses nothing.
pub(crate) async fn revoked(pass: &EnginePass, control: &ControlStore, token_ends: &mut watch::Receiver<u64>) {
    loop {
        // Marked as seen before the look, so that an end in between is seen by the next turn.
        token_ends.mark_unchanged();
        if !pass.holds(control) || token_ends.changed().await.is_err() {
            return;
        }
    }
}

const fn type_of(directive: Directive) -> &'static str {
    match directive {
        Directive::Cancel { .. } => "cancel",
        Directive::Drain { .. } => "drain",
        Directive::DesiredWorkers { .. } => "desired_workers",
        Directive::Renew => "renew",
    }
}
