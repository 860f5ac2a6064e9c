//! Event streams. Each ends by itself when the node stops, when its caller's token expires or its key is ended, when they
//! sign out or are kept out, and when their role changes; the last event is then `bye` with the reason, so that a client
//! knows a goodbye from a broken connection.

pub(crate) mod engine_feed;
pub(crate) mod job_feed;
pub(crate) mod node_feed;
pub(crate) mod seats;

use std::{convert::Infallible, time::Duration};

use axum::response::{
    IntoResponse, Response, Sse,
    sse::{self, KeepAlive},
};
use flowork_api_types::event::{Event, EventEnvelope};
use flowork_control::ControlStore;
use flowork_tokens::TokenKeys;
use futures_util::stream;
use http::{HeaderName, header};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{app::App, auth::credentials::Person};
use seats::Seat;

/// A stream never outlives this, whatever its token says; the client asks again and goes on.
const STREAM_AGE_MAX: Duration = Duration::from_hours(24);

/// Something that gives one event after another; `None` ends the stream.
pub(crate) trait Feed: Send + 'static {
    /// The next event.
    fn next(&mut self) -> impl Future<Output = Option<sse::Event>> + Send;
}

/// Streams what the feed gives, in a place that is free again when the stream is dropped.
pub(crate) fn answer<F: Feed>(app: &App, seat: Seat, feed: F) -> Response {
    let events = stream::unfold((feed, seat), async |(mut feed, seat)| {
        let event = feed.next().await?;
        Some((Ok::<_, Infallible>(event), (feed, seat)))
    });
    let keep_alive = KeepAlive::new().interval(app.limits.keep_alive_interval);
    // Proxies must pass events on as they come.
    let headers = [(header::CACHE_CONTROL, "no-store"), (HeaderName::from_static("x-accel-buffering"), "no")];
    (headers, Sse::new(events).keep_alive(keep_alive)).into_response()
}

/// When a stream has to end though its feed goes on.
pub(crate) struct StreamEnd {
    stopping: CancellationToken,
    resumed: watch::Receiver<()>,
    /// However long the token may still work.
    ends: Instant,
    person: Person,
    control: ControlStore,
    tokens: TokenKeys,
    access_changes: watch::Receiver<u64>,
    key_changes: watch::Receiver<u64>,
}

impl StreamEnd {
    pub(crate) fn new(app: &App, person: &Person) -> Self {
        Self {
            stopping: app.stopping.clone(),
            resumed: app.resumed.subscribe(),
            ends: Instant::now() + STREAM_AGE_MAX,
            person: person.clone(),
            control: app.state.control.clone(),
            tokens: app.state.tokens.clone(),
            access_changes: app.state.control.session_ends(),
            key_changes: app.state.tokens.key_changes(),
        }
    }

    /// Resolves with the reason once the stream has to end. Dropping the future loses nothing.
    pub(crate) async fn due(&mut self) -> &'static str {
        loop {
            // Marked as seen before the look, so that a change in between is seen by the next turn.
            self.access_changes.mark_unchanged();
            self.key_changes.mark_unchanged();
            if self.person.session_id.is_some_and(|id| !self.control.session_is_live(id)) {
                return "signed_out";
            }
            // Whoever has a session comes back with a new token, and a script's is refused.
            if !self.person.token_counts(&self.tokens) {
                return "token_expired";
            }
            if !self.person.is_known(&self.control) {
                return "access_changed";
            }
            // By the wall clock, anew in each turn: timers stand still while the machine sleeps.
            let token_ends = Instant::now() + self.person.time_left().min(STREAM_AGE_MAX);
            let changed = tokio::select! {
                biased;
                () = self.stopping.cancelled() => return "stopping",
                () = tokio::time::sleep_until(token_ends.min(self.ends)) => return "token_expired",
                changed = self.access_changes.changed() => changed,
                changed = self.key_changes.changed() => changed,
                changed = self.resumed.changed() => changed,
            };
            if changed.is_err() {
                return "stopping";
            }
        }
    }
}

/// The last event of a stream that had to end.
pub(crate) fn bye(reason: &str) -> sse::Event {
    sse::Event::default().event("bye").data(format!(r#"{{"reason":"{reason}"}}"#))
}

/// An event as it goes over the wire. Stored things have no place in the stream of changes and so no `id`.
pub(crate) fn frame(envelope: &EventEnvelope) -> sse::Event {
    let data = serde_json::to_string(envelope).expect("events are plain data");
    let frame = sse::Event::default().event(type_of(&envelope.event)).data(data);
    if envelope.cursor.is_empty() { frame } else { frame.id(&envelope.cursor) }
}

const fn type_of(event: &Event) -> &'static str {
    match event {
        Event::JobChanged { .. } => "job.changed",
        Event::JobProgress { .. } => "job.progress",
        Event::JobLog { .. } => "job.log",
        Event::BatchFinished { .. } => "batch.finished",
        Event::KindsChanged => "kinds.changed",
        Event::EnginesChanged => "engines.changed",
        Event::QueuesChanged => "queues.changed",
        Event::NoticesChanged => "notices.changed",
        Event::Autoscaled(_) => "autoscaled",
        Event::SchedulesChanged => "schedules.changed",
        Event::SessionsChanged => "sessions.changed",
        Event::Resync => "resync",
    }
}
