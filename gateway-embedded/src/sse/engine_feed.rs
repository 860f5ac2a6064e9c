//! What the node wants of one engine.

use axum::response::sse;
use flowork_api_types::engine::Directive;
use flowork_engine::jobs::directives::DirectiveFeed;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Feed, STREAM_AGE_MAX, bye};
use crate::app::App;

/// The feed of `GET /v1/engine/directives`.
pub(crate) struct EngineFeed {
    directives: DirectiveFeed,
    stopping: CancellationToken,
    ends: Instant,
    over: bool,
}

impl EngineFeed {
    pub(crate) fn new(app: &App, directives: DirectiveFeed) -> Self {
        Self { directives, stopping: app.stopping.clone(), ends: Instant::now() + STREAM_AGE_MAX, over: false }
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
            () = sleep_until(self.ends) => return Some(self.say_bye("too_old")),
            directive = self.directives.next() => directive,
        };
        let data = serde_json::to_string(&directive).expect("directives are plain data");
        Some(sse::Event::default().event(type_of(directive)).data(data))
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
