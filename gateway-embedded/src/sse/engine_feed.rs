//! What the node wants of one engine.

use std::time::Duration;

use axum::response::sse;
use flowork_api_types::engine::Directive;
use flowork_control::ControlStore;
use flowork_engine::{Clock, jobs::directives::DirectiveFeed};
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
    resumed: watch::Receiver<()>,
    clock: Clock,
    pass: EnginePass,
    control: ControlStore,
    token_ends: watch::Receiver<u64>,
    ends: Instant,
    over: bool,
}

impl EngineFeed {
    pub(crate) fn new(app: &App, directives: DirectiveFeed, pass: EnginePass) -> Self {
        let control = app.state.control.clone();
        Self {
            directives,
            stopping: app.stopping.clone(),
            resumed: app.resumed.subscribe(),
            clock: app.state.clock.clone(),
            pass,
            token_ends: control.engine_token_ends(),
            control,
            ends: Instant::now() + STREAM_AGE_MAX,
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
        let directive = loop {
            // By the wall clock, anew in each turn: timers stand still while the machine sleeps.
            let left = self.pass.proof.until.map(|until| until.as_millis() - self.clock.now().as_millis());
            let token_ends = left.map(|ms| Instant::now() + Duration::from_millis(ms.max(0) as u64));
            let ends = token_ends.map_or(self.ends, |ends| ends.min(self.ends));
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return Some(self.say_bye("stopping")),
                () = revoked(&self.pass, &self.control, &mut self.token_ends) => {
                    return Some(self.say_bye("token_revoked"));
                }
                () = sleep_until(ends) => return Some(self.say_bye("too_old")),
                Ok(()) = self.resumed.changed() => {}
                directive = self.directives.next() => break directive,
            }
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
