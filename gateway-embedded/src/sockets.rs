//! WebSockets of sync sessions: how many there are, what keeps their time, and what each of them says.
//!
//! A socket is a task that waits for whatever comes first: a newer state, the beat, a message, the end. It sends one
//! message at a time and keeps none: whoever reads slowly finds the newest state next, and costs nobody else anything.

mod beat;
mod conversation;
pub(crate) mod fuzzing;
mod handshake;
mod messages;
mod wire;

use std::sync::Arc;

use flowork_admission::{InFlight, Place};
use flowork_api_types::auth::Role;
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

pub(crate) use conversation::{Conversation, refuse};
pub(crate) use handshake::Handshake;

use crate::{auth::credentials::Person, error::ApiError, options::Limits};
use beat::Beat;

/// Sockets of one person who does not run the node.
const SOCKETS_PER_PERSON_MAX: usize = 256;
/// What guests may take of all sockets: the others must get in too.
const GUESTS_SHARE: usize = 2;

/// All sockets of the gateway.
pub(crate) struct Sockets {
    all: Arc<Semaphore>,
    guests: Arc<Semaphore>,
    per_person: InFlight<Arc<str>>,
    beat: Arc<Beat>,
    tasks: TaskTracker,
}

/// A socket's place among all of them, given back when it is dropped.
pub(crate) struct Seated {
    _all: OwnedSemaphorePermit,
    _guest: Option<OwnedSemaphorePermit>,
    _person: Option<Place<Arc<str>>>,
}

impl Sockets {
    /// None yet, and room for some. Their tasks are among `tasks`.
    pub(crate) fn new(limits: &Limits, tasks: TaskTracker, stopping: CancellationToken) -> Self {
        let (max, beat) = (limits.sockets_max, Arc::new(Beat::new(limits.ping_interval)));
        tasks.spawn(Arc::clone(&beat).run(stopping));
        Self {
            all: Arc::new(Semaphore::new(max)),
            guests: Arc::new(Semaphore::new(max / GUESTS_SHARE)),
            per_person: InFlight::new(SOCKETS_PER_PERSON_MAX),
            beat,
            tasks,
        }
    }

    /// Keeps the gateway from ending before a socket has said goodbye.
    pub(crate) fn track(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Asks every client now whether it is there.
    pub(crate) fn look_after_all(&self) {
        self.beat.tell_all();
    }

    /// A place for another one of a person.
    pub(crate) fn seat(&self, person: &Person) -> Result<Seated, ApiError> {
        let full = |what: &str| {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "SOCKETS_FULL", what)
                .hint("close sockets that nobody looks at any more")
                .retry_after(std::time::Duration::from_secs(5))
        };
        let all =
            Arc::clone(&self.all).try_acquire_owned().map_err(|_| full("this node has no room for more sockets"))?;
        let (mut guest, mut own) = (None, None);
        match person.role {
            Role::Owner | Role::Operator => {}
            Role::Guest => {
                let taken = Arc::clone(&self.guests).try_acquire_owned();
                guest = Some(taken.map_err(|_| full("guests have all the sockets they may have"))?);
            }
            Role::Member | Role::Viewer => {
                let place = self.per_person.enter(Arc::clone(&person.subject));
                own = Some(place.ok_or_else(|| full("you have as many sockets as one person may have"))?);
            }
        }
        Ok(Seated { _all: all, _guest: guest, _person: own })
    }
}
