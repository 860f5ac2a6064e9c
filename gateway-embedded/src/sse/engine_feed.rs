//! What the node wants of one engine.

use std::time::Duration;

use axum::response::sse;
use flowork_api_types::{Timestamp, engine::Directive};
use flowork_control::{ControlStore, TokenLife};
use flowork_engine::{Clock, jobs::directives::DirectiveFeed};
use flowork_tokens::TokenKeys;
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
    pass: PassEnd,
    ends: Instant,
    over: bool,
}

impl EngineFeed {
    pub(crate) fn new(app: &App, directives: DirectiveFeed, pass: EnginePass) -> Self {
        Self {
            directives,
            stopping: app.stopping.clone(),
            pass: PassEnd::new(app, pass),
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
        let directive = tokio::select! {
            biased;
            () = self.stopping.cancelled() => return Some(self.say_bye("stopping")),
            reason = self.pass.due() => return Some(self.say_bye(reason)),
            () = sleep_until(self.ends) => return Some(self.say_bye("too_old")),
            directive = self.directives.next() => directive,
        };
        let data = serde_json::to_string(&directive).expect("directives are plain data");
        Some(sse::Event::default().event(type_of(directive)).data(data))
    }
}

/// When what an engine called with stops to count while the answer is on its way.
pub(crate) struct PassEnd {
    pass: EnginePass,
    control: ControlStore,
    tokens: TokenKeys,
    clock: Clock,
    resumed: watch::Receiver<()>,
    token_ends: watch::Receiver<u64>,
    key_changes: watch::Receiver<u64>,
}

impl PassEnd {
    pub(crate) fn new(app: &App, pass: EnginePass) -> Self {
        let (control, tokens) = (app.state.control.clone(), app.state.tokens.clone());
        Self {
            pass,
            clock: app.state.clock.clone(),
            resumed: app.resumed.subscribe(),
            token_ends: control.engine_token_ends(),
            key_changes: tokens.key_changes(),
            control,
            tokens,
        }
    }

    /// Resolves with the reason once it counts no more. Dropping the future loses nothing.
    pub(crate) async fn due(&mut self) -> &'static str {
        loop {
            // Marked as seen before the look, so that an end in between is seen by the next turn.
            self.token_ends.mark_unchanged();
            self.key_changes.mark_unchanged();
            let replaced = match self.pass.life(&self.control, &self.tokens) {
                TokenLife::Open => None,
                TokenLife::Until(until) => Some(until),
                TokenLife::Over => return "token_revoked",
            };
            let until = replaced.into_iter().chain(self.pass.proof.until).min();
            let changed = tokio::select! {
                biased;
                () = sleep_till(until, &self.clock) => return "too_old",
                changed = self.token_ends.changed() => changed,
                changed = self.key_changes.changed() => changed,
                changed = self.resumed.changed() => changed,
            };
            if changed.is_err() {
                return "stopping";
            }
        }
    }
}

/// By the wall clock, anew in each turn: timers stand still while the machine sleeps.
async fn sleep_till(until: Option<Timestamp>, clock: &Clock) {
    match until {
        Some(until) => {
            let left_ms = until.as_millis().saturating_sub(clock.now().as_millis()).max(0);
            tokio::time::sleep(Duration::from_millis(left_ms as u64)).await;
        }
        None => std::future::pending().await,
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
