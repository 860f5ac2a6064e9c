//! Everything that changes on the node, as far as the caller may see it.

use axum::response::sse;
use flowork_engine::EventFeed;

use super::{Feed, StreamEnd, bye, frame};
use crate::{app::App, auth::credentials::Person};

/// The feed of `GET /v1/events`.
pub(crate) struct NodeFeed {
    person: Person,
    events: EventFeed,
    end: StreamEnd,
    over: bool,
}

impl NodeFeed {
    pub(crate) fn new(app: &App, person: Person, cursor: Option<&str>) -> Self {
        let (events, end) = (app.state.engines.events().subscribe(cursor), StreamEnd::new(app, &person));
        Self { person, events, end, over: false }
    }

    fn say_bye(&mut self, reason: &str) -> sse::Event {
        self.over = true;
        bye(reason)
    }
}

impl Feed for NodeFeed {
    async fn next(&mut self) -> Option<sse::Event> {
        if self.over {
            return None;
        }
        loop {
            let next = tokio::select! {
                biased;
                reason = self.end.due() => return Some(self.say_bye(reason)),
                next = self.events.next() => next,
            };
            match next {
                None => return Some(self.say_bye("stopping")),
                Some((owner, envelope)) if self.person.sees(owner.as_deref()) => return Some(frame(&envelope)),
                Some(_) => {}
            }
        }
    }
}
