//! Sessions on disk and a clock that stands still, for one test.

use std::{sync::Arc, time::Duration};

use flowork_api_types::{
    SyncSessionId,
    session::{CreateSessionRequest, ListSessionEventsQuery, SessionEvent, SessionState},
};
use flowork_engine::{Clock, Events, jobs::Caller};
use flowork_sync::{ChangeError, Changed, Pace, Published, Sessions, SyncOptions, machine::Command};
use tempfile::TempDir;

/// Far longer than anything here takes; only a defect waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
/// When the clock begins.
pub(crate) const BEGIN: i64 = 1_700_000_000_000;

pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) clock: Clock,
    pub(crate) switches: Pace,
    /// Which boot the clock counts from, if that can be told.
    pub(crate) boot: Option<Arc<str>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_clock(Clock::manual(BEGIN))
    }

    pub(crate) fn with_clock(clock: Clock) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), clock, switches: Pace { per_second: 0 }, boot: None }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("sync.db")
    }

    pub(crate) async fn open(&self) -> Sessions {
        self.open_with(Events::default()).await
    }

    pub(crate) async fn open_with(&self, events: Events) -> Sessions {
        let (switches, boot) = (self.switches, self.boot.clone());
        let options = SyncOptions { switches, boot, ..SyncOptions::new(&self.path(), self.clock.clone()) };
        Sessions::open(options, events).await.unwrap()
    }

    /// Moves the clock and lets the timers look at it.
    pub(crate) async fn pass(&self, sessions: &Sessions, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
        sessions.check_now().await;
    }
}

pub(crate) fn owner() -> Caller {
    Caller { subject: "owner".into(), sees_all: true, may_act: true }
}

pub(crate) fn member(name: &str) -> Caller {
    Caller { subject: name.into(), sees_all: false, may_act: true }
}

/// Makes a session and starts it.
pub(crate) async fn started(sessions: &Sessions, request: CreateSessionRequest) -> SyncSessionId {
    let id = request.session_id;
    sessions.create(&owner(), request).await.unwrap();
    sessions.change(&owner(), id, None, Command::Start).await.unwrap();
    id
}

/// Switches to the next.
pub(crate) async fn switch(sessions: &Sessions, id: SyncSessionId) -> Result<Changed, ChangeError> {
    sessions.change(&owner(), id, None, Command::Switch { next: None }).await
}

pub(crate) fn state(sessions: &Sessions, id: SyncSessionId) -> SessionState {
    sessions.get(&owner(), id).unwrap().session().state()
}

/// The state, once it is as `wanted` says.
pub(crate) async fn until(
    sessions: &Sessions,
    id: SyncSessionId,
    wanted: impl Fn(&SessionState) -> bool,
) -> SessionState {
    let mut subscription = sessions.subscribe(&owner(), id).unwrap();
    let reached = async {
        let mut now = subscription.current();
        loop {
            match now {
                Published::Live(snapshot) if wanted(&snapshot.session().state()) => return snapshot.session().state(),
                Published::Live(_) => now = subscription.changed().await,
                Published::Deleted => panic!("{id} was deleted"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{id} never got there"))
}

/// Every event of a session.
pub(crate) async fn events(sessions: &Sessions, id: SyncSessionId) -> Vec<SessionEvent> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        let query = ListSessionEventsQuery { cursor, limit: Some(200) };
        let page = sessions.events(&owner(), id, query).await.unwrap();
        all.extend(page.items);
        let Some(next) = page.next_cursor else { return all };
        cursor = Some(next.parse().unwrap());
    }
}

/// Names of events, in their order.
pub(crate) fn names(events: &[SessionEvent]) -> Vec<&'static str> {
    events.iter().map(|event| event.event.as_str()).collect()
}

/// Waits for something that has no event of its own, by looking at it again and again.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let reached = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("never: {what}"));
}
