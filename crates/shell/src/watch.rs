//! Following a node by its events: what is shown is fetched when an event says that it has changed, and never by the
//! clock. An idle app on an idle node does nothing at all.

mod backoff;
mod frames;

use std::{collections::HashSet, time::Duration};

use flowork_api_types::{
    JobId,
    event::{Event, EventEnvelope},
    job::JobState,
    node::Notice,
};
use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    sync::{mpsc, watch as channel},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    client::{ClientError, NodeClient},
    view::{Hosting, NodeView, is_advice},
};
use backoff::Backoff;
use frames::{Frame, Frames};

/// From one fetch to the next at least: under load what is shown is as new as a person can see.
const FETCH_GAP: Duration = Duration::from_millis(250);
/// Happenings that wait to be taken. Beyond them new ones are dropped: who does not take them shows none.
const HAPPENINGS_MAX: usize = 256;
/// A stream that ended sooner than this counts as a failure, however politely it ended.
const STREAM_AGE_MIN: Duration = Duration::from_secs(5);

/// Something that a person may want to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A job ended well.
    JobCompleted {
        /// Which job.
        id: JobId,
        /// What it ran.
        kind: String,
    },
    /// A job ended badly, and is not tried again by itself.
    JobFailed {
        /// Which job.
        id: JobId,
        /// What it ran.
        kind: String,
    },
    /// The node has something new to look at.
    Attention(Notice),
}

/// What happens on a node, one after the other. Ends the watching when it is dropped.
pub struct Happenings {
    receiver: mpsc::Receiver<Happening>,
    task: JoinHandle<()>,
    ends: DropGuard,
}

impl Happenings {
    /// Waits for the next; `None` once the watching has ended.
    pub async fn next(&mut self) -> Option<Happening> {
        self.receiver.recv().await
    }

    /// Ends the watching and waits until it has.
    pub async fn stop(self) {
        let Self { task, ends, .. } = self;
        drop(ends);
        if let Err(error) = task.await {
            tracing::error!(%error, "watching the node broke off");
        }
    }
}

/// Follows a node until the returned [`Happenings`] is dropped or stopped. Call it in a runtime.
///
/// The view starts as [`NodeView::starting`] and becomes [`Phase::Unreachable`](crate::Phase::Unreachable) whenever the
/// connection is lost, until it is there again. Notices that are there from the beginning are no happenings.
pub fn watch(client: NodeClient, hosting: Hosting) -> (channel::Receiver<NodeView>, Happenings) {
    let starting = NodeView { hosting, url: Some(client.url().clone()), ..NodeView::starting() };
    let (view, views) = channel::channel(starting);
    let (sender, receiver) = mpsc::channel(HAPPENINGS_MAX);
    let ends = CancellationToken::new();
    let follower = Follower { client, hosting, view, happenings: sender, cursor: None, bounds: None, seen: None };
    let ended = ends.clone();
    let task = tokio::spawn(async move {
        tokio::select! {
            () = ended.cancelled() => {}
            () = follower.follow() => {}
        }
    });
    (views, Happenings { receiver, task, ends: ends.drop_guard() })
}

struct Follower {
    client: NodeClient,
    hosting: Hosting,
    view: channel::Sender<NodeView>,
    happenings: mpsc::Sender<Happening>,
    /// The last event that was taken.
    cursor: Option<String>,
    /// The fewest and the most workers that the node takes by itself.
    bounds: Option<(u32, u32)>,
    /// The notices of the last fetch; none before the first.
    seen: Option<HashSet<(String, String)>>,
}

/// How a stream ended that did not break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It is over for itself, as when its token has ended; a new one goes on where it was.
    Again,
    /// The node stops, or does not want this client.
    Away,
}

impl Follower {
    async fn follow(mut self) {
        let mut backoff = Backoff::new(StdRng::from_rng(&mut rand::rng()));
        loop {
            let opened = Instant::now();
            match self.listen(&mut backoff).await {
                Ok(Ended::Again) if opened.elapsed() > STREAM_AGE_MIN => continue,
                Ok(Ended::Again | Ended::Away) => {}
                Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "the node is out of reach"),
            }
            self.view.send_modify(|view| *view = view.unreachable());
            sleep(backoff.next()).await;
        }
    }

    /// Follows one stream to its end.
    async fn listen(&mut self, backoff: &mut Backoff) -> Result<Ended, ClientError> {
        // The stream first, so that no change falls between it and the fetch.
        let mut stream = self.client.events(self.cursor.as_deref()).await?;
        self.fetch_bounds().await?;
        self.fetch().await?;
        backoff.reset();
        let mut frames = Frames::default();
        let mut next_fetch = Instant::now() + FETCH_GAP;
        let mut stale = false;
        loop {
            let piece = tokio::select! {
                () = sleep_until(next_fetch), if stale => {
                    self.fetch().await?;
                    stale = false;
                    next_fetch = Instant::now() + FETCH_GAP;
                    continue;
                }
                piece = stream.chunk() => piece.map_err(|error| self.client.unreachable(error))?,
            };
            let Some(piece) = piece else { return Ok(Ended::Away) };
            for frame in frames.feed(&piece) {
                if frame.event == "bye" {
                    return Ok(self.part(&frame));
                }
                stale |= self.take(frame);
            }
        }
    }

    /// Takes an event; says whether what is shown has to be fetched again.
    fn take(&mut self, frame: Frame) -> bool {
        if frame.id.is_some() {
            self.cursor = frame.id;
        }
        // What a newer node says may have changed anything.
        let Ok(EventEnvelope { event, .. }) = serde_json::from_str(&frame.data) else { return true };
        match event {
            Event::JobChanged { job_id: id, kind, state, .. } => {
                match state {
                    JobState::Completed => self.tell(Happening::JobCompleted { id, kind }),
                    JobState::Failed => self.tell(Happening::JobFailed { id, kind }),
                    _ => {}
                }
                true
            }
            Event::EnginesChanged | Event::Autoscaled(_) | Event::NoticesChanged | Event::Resync => true,
            _ => false,
        }
    }

    fn part(&mut self, frame: &Frame) -> Ended {
        let reason = ["token_expired", "too_old"].into_iter().find(|reason| frame.data.contains(reason));
        if reason.is_some() {
            self.client.forget_token();
        }
        reason.map_or(Ended::Away, |_| Ended::Again)
    }

    async fn fetch(&mut self) -> Result<(), ClientError> {
        let status = self.client.status().await?;
        let notices = status.notices.iter().map(|notice| (notice.code.clone(), notice.message.clone())).collect();
        if let Some(seen) = self.seen.replace(notices) {
            let new = |notice: &&Notice| !seen.contains(&(notice.code.clone(), notice.message.clone()));
            for notice in status.notices.iter().filter(new).filter(|notice| !is_advice(&notice.code)) {
                self.tell(Happening::Attention(notice.clone()));
            }
        }
        let view = NodeView::of(&status, self.bounds, self.hosting);
        // Nothing is drawn anew where nothing has changed.
        self.view.send_if_modified(|shown| {
            let changed = *shown != view;
            *shown = view;
            changed
        });
        Ok(())
    }

    /// They are settings, so they last as long as the node.
    async fn fetch_bounds(&mut self) -> Result<(), ClientError> {
        self.bounds = match self.client.autoscaler().await {
            Ok(autoscaler) => Some((autoscaler.workers_min, autoscaler.workers_max)),
            // A node of another version; all else can be shown.
            Err(ClientError::Refused { .. } | ClientError::Unreadable { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(())
    }

    fn tell(&self, happening: Happening) {
        if self.happenings.try_send(happening).is_err() {
            tracing::debug!("a happening was dropped, because too many wait");
        }
    }
}
