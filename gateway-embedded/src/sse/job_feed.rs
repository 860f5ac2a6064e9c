//! One job: what is stored, then what comes, until it has ended.
//!
//! The feed listens before it reads, so nothing falls between; log lines are told apart by their `seq`, so nothing comes
//! twice. When the job ends, the store is read once more, and only then the end is told.

use std::collections::VecDeque;

use axum::response::sse;
use flowork_api_types::{
    JobId,
    event::{Event, EventEnvelope},
    job::{Job, LogLine},
};
use flowork_engine::{
    Engines, EventFeed,
    clock::wall_now,
    jobs::{Caller, query::JobLookupError},
};

use super::{Feed, StreamEnd, bye, frame};
use crate::{app::App, auth::credentials::Person};

/// Stored log lines sent in one event.
const LOG_PAGE_LINES: u32 = 200;

/// The feed of `GET /v1/jobs/{job_id}/events`.
pub(crate) struct JobFeed {
    engines: Engines,
    caller: Caller,
    job_id: JobId,
    events: EventFeed,
    end: StreamEnd,
    /// The last log line that was sent.
    seen_seq: u64,
    ready: VecDeque<sse::Event>,
    phase: Phase,
}

enum Phase {
    /// Sends the stored log lines after `seen_seq` page by page, then the job.
    Stored(Box<Job>),
    /// Sends what comes.
    Live,
    /// Reads the job anew, because it ended or events were missed.
    Again,
    Over,
}

impl JobFeed {
    /// # Errors
    /// There is no such job, or it is none of this person's.
    pub(crate) async fn start(app: &App, person: Person, job_id: JobId) -> Result<Self, JobLookupError> {
        let engines = app.state.engines.clone();
        let events = engines.events().subscribe(None);
        let caller = person.caller();
        let job = engines.job(&caller, job_id).await?;
        let end = StreamEnd::new(app, &person);
        let phase = Phase::Stored(Box::new(job));
        Ok(Self { engines, caller, job_id, events, end, seen_seq: 0, ready: VecDeque::new(), phase })
    }

    /// Reads on from the store.
    async fn advance(&mut self) -> Result<(), JobLookupError> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Stored(job) => self.send_stored(job).await?,
            Phase::Again => {
                self.phase = Phase::Stored(Box::new(self.engines.job(&self.caller, self.job_id).await?));
            }
            Phase::Live | Phase::Over => {}
        }
        Ok(())
    }

    async fn send_stored(&mut self, job: Box<Job>) -> Result<(), JobLookupError> {
        let page = self.engines.logs(&self.caller, self.job_id, self.seen_seq, LOG_PAGE_LINES).await?;
        let more = page.next_cursor.is_some() && !page.items.is_empty();
        self.send_lines(page.items, None);
        if more {
            self.phase = Phase::Stored(job);
            return Ok(());
        }
        let summary = &job.summary;
        self.send_stored_event(Event::JobChanged {
            job_id: summary.id,
            kind: summary.kind.clone(),
            queue: summary.queue.clone(),
            state: summary.state,
            attempt: summary.attempt,
        });
        if let Some(progress) = summary.progress.clone() {
            self.send_stored_event(Event::JobProgress { job_id: summary.id, progress });
        }
        self.phase = Phase::Live;
        if summary.state.is_final() {
            self.finish(sse::Event::default().event("end").data(format!(r#"{{"state":"{}"}}"#, summary.state)));
        }
        Ok(())
    }

    fn take(&mut self, envelope: &EventEnvelope) {
        match &envelope.event {
            Event::JobChanged { job_id, state, .. } if *job_id == self.job_id => {
                if state.is_final() {
                    self.phase = Phase::Again;
                } else {
                    self.ready.push_back(frame(envelope));
                }
            }
            Event::JobProgress { job_id, .. } if *job_id == self.job_id => self.ready.push_back(frame(envelope)),
            Event::JobLog { job_id, lines } if *job_id == self.job_id => {
                self.send_lines(lines.clone(), Some(envelope));
            }
            Event::Resync => self.phase = Phase::Again,
            Event::JobChanged { .. }
            | Event::JobProgress { .. }
            | Event::JobLog { .. }
            | Event::BatchFinished { .. }
            | Event::NoticesChanged
            | Event::KindsChanged
            | Event::EnginesChanged
            | Event::QueuesChanged
            | Event::Autoscaled(_)
            | Event::SchedulesChanged
            | Event::SessionsChanged => {}
        }
    }

    fn send_lines(&mut self, mut lines: Vec<LogLine>, live: Option<&EventEnvelope>) {
        lines.retain(|line| line.seq > self.seen_seq);
        let Some(last) = lines.last() else { return };
        self.seen_seq = last.seq;
        let event = Event::JobLog { job_id: self.job_id, lines };
        match live {
            None => self.send_stored_event(event),
            Some(envelope) => self.ready.push_back(frame(&EventEnvelope { event, ..envelope.clone() })),
        }
    }

    fn send_stored_event(&mut self, event: Event) {
        self.ready.push_back(frame(&EventEnvelope { cursor: String::new(), at: wall_now(), event }));
    }

    fn finish(&mut self, last: sse::Event) {
        self.ready.push_back(last);
        self.phase = Phase::Over;
    }
}

impl Feed for JobFeed {
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if matches!(self.phase, Phase::Over) {
                return None;
            }
            // Only waiting for events may be cut short; reads from the store are quick.
            let due = if matches!(self.phase, Phase::Live) {
                tokio::select! {
                    biased;
                    reason = self.end.due() => Some(reason),
                    next = self.events.next() => {
                        match next {
                            Some((_, envelope)) => self.take(&envelope),
                            None => self.finish(bye("stopping")),
                        }
                        None
                    }
                }
            } else if let Err(error) = self.advance().await {
                tracing::warn!(job_id = %self.job_id, %error, "a job's event stream ends early");
                Some("failed")
            } else {
                None
            };
            if let Some(reason) = due {
                self.finish(bye(reason));
            }
        }
    }
}
