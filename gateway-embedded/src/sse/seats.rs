//! How many event streams there are, and how many calls of engines that wait for jobs. Each keeps a connection at work for
//! as long as its caller likes, and none is ever cut to make room, so that without bounds anybody who may open one could
//! take all connections.

use std::{sync::Arc, time::Duration};

use flowork_admission::{InFlight, Place};
use flowork_api_types::{EngineId, auth::Role};
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{auth::credentials::Person, edge::client::Ingress, error::ApiError, options::Limits};

/// Streams of one member or engine: a window takes one, and one more for a job that is looked at.
const STREAMS_MAX: usize = 16;
/// Streams of the owner, or of one operator.
const STREAMS_OF_KEEPER_MAX: usize = 256;
/// Calls of one engine that wait for jobs: an engine makes one at a time, and a few more may not have ended yet.
const CLAIMS_MAX: usize = 16;
/// What guests together may take of the connections of the tunnel.
const GUESTS_SHARE: usize = 8;
/// When somebody who found no place may try again.
const RETRY: Duration = Duration::from_secs(5);

/// All event streams of the gateway.
pub(crate) struct Streams {
    /// Of all who do not keep the node.
    others: Arc<Semaphore>,
    guests: Arc<Semaphore>,
    of_person: InFlight<Arc<str>>,
    of_keeper: InFlight<Arc<str>>,
    of_engine: InFlight<EngineId>,
    claims: InFlight<EngineId>,
}

/// A stream's place among all of them, given back when it is dropped.
#[derive(Default)]
pub(crate) struct Seat {
    _all: Option<OwnedSemaphorePermit>,
    _guest: Option<OwnedSemaphorePermit>,
    _person: Option<Place<Arc<str>>>,
    _engine: Option<Place<EngineId>>,
}

impl Streams {
    /// None yet. Those who do not keep the node leave a quarter of the tunnel's connections to those who do.
    pub(crate) fn new(limits: &Limits) -> Self {
        let connections = limits.tunnel_connections_max;
        Self {
            others: Arc::new(Semaphore::new((connections / 4 * 3).max(1))),
            guests: Arc::new(Semaphore::new((connections / GUESTS_SHARE).max(1))),
            of_person: InFlight::new(STREAMS_MAX),
            of_keeper: InFlight::new(STREAMS_OF_KEEPER_MAX),
            of_engine: InFlight::new(STREAMS_MAX),
            claims: InFlight::new(CLAIMS_MAX),
        }
    }

    /// A place for another stream of a person.
    pub(crate) fn seat(&self, person: &Person) -> Result<Seat, ApiError> {
        let own = |places: &InFlight<Arc<str>>| {
            let place = places.enter(Arc::clone(&person.subject));
            place.ok_or_else(|| full("you have as many event streams as one person may have"))
        };
        // The role of an admin token says nothing; it is one program, and known by name.
        let guest = person.role == Role::Guest && person.scopes.is_none();
        if matches!(person.role, Role::Owner | Role::Operator) {
            return Ok(Seat { _person: Some(own(&self.of_keeper)?), ..Seat::default() });
        }
        let (guest, person) = if guest {
            let taken = Arc::clone(&self.guests).try_acquire_owned();
            (Some(taken.map_err(|_| full("guests have all the event streams they may have"))?), None)
        } else {
            (None, Some(own(&self.of_person)?))
        };
        let all = Arc::clone(&self.others).try_acquire_owned();
        let all = all.map_err(|_| full("this node has no room for more event streams"))?;
        Ok(Seat { _all: Some(all), _guest: guest, _person: person, _engine: None })
    }

    /// A place for another stream of an engine.
    pub(crate) fn seat_engine(&self, engine: EngineId, ingress: Ingress) -> Result<Seat, ApiError> {
        let place = self.of_engine.enter(engine);
        let place = place.ok_or_else(|| full("this engine has as many event streams as one may have"))?;
        Ok(Seat { _engine: Some(place), _all: self.among_others(ingress)?, ..Seat::default() })
    }

    /// A place for another call of an engine that waits for jobs.
    pub(crate) fn seat_claim(&self, engine: EngineId, ingress: Ingress) -> Result<Seat, ApiError> {
        let Ingress::Tunnel = ingress else { return Ok(Seat::default()) };
        let place = self.claims.enter(engine);
        let place = place.ok_or_else(|| full("this engine has as many claims that wait as one may have"))?;
        Ok(Seat { _engine: Some(place), _all: self.among_others(ingress)?, ..Seat::default() })
    }

    /// On the tunnel's listener engines share the connections with everybody else who does not keep the node.
    fn among_others(&self, ingress: Ingress) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
        let Ingress::Tunnel = ingress else { return Ok(None) };
        let taken = Arc::clone(&self.others).try_acquire_owned();
        taken.map(Some).map_err(|_| full("this node has no room for more streams and calls that wait"))
    }
}

fn full(what: &str) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "STREAMS_FULL", what)
        .hint("close windows and programs that nobody looks at any more")
        .retry_after(RETRY)
}
