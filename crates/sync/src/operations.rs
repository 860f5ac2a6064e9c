//! What people do with sync sessions. A caller who does not see everything sees and changes their own only.

use std::{sync::Arc, time::Duration};

use flowork_api_types::{
    ParticipantId, SyncSessionId,
    session::{
        CreateSessionRequest, ListSessionEventsQuery, ListSessionsQuery, SESSION_EVENT_PAGE_MAX, SESSION_PAGE_MAX,
        SESSIONS_MAX, SessionEventList, SessionFieldError, SessionList, SessionSummary,
    },
};
use flowork_engine::jobs::Caller;
use flowork_sqlite::StoreError;
use tokio::sync::oneshot;

use crate::{
    Sessions,
    directory::Place,
    machine::{Command, Refusal, Session, validate},
    quota::{NoRoom, OwnerBound},
    shard::Message,
    snapshot::{Snapshot, Subscription},
};

/// Sessions on a page that asks for no other number.
const PAGE: u32 = 50;
/// Events on a page that asks for no other number.
const EVENT_PAGE: u32 = 100;

/// Why a session was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Fields are out of range.
    #[error("the request has fields that are not valid")]
    Invalid {
        /// Each thing that is wrong.
        errors: Vec<SessionFieldError>,
    },
    /// There is one of that id.
    #[error("there is a session {session_id} already")]
    Exists {
        /// As it was asked for.
        session_id: SyncSessionId,
    },
    /// There are too many.
    #[error("this node has {SESSIONS_MAX} sessions, or as many participants as it can hold")]
    Full,
    /// The caller has as much as one person may have.
    #[error("you have {} {}, which is as many as one person may have", .bound.max(), .bound.what())]
    OwnerFull {
        /// Of what.
        bound: OwnerBound,
    },
    /// Too much waits.
    #[error("too many changes wait for their turn")]
    Busy,
    /// The store failed.
    #[error("the session could not be stored")]
    Store(#[from] StoreError),
}

/// Why a session was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// No such session, or none that the caller may see.
    #[error("there is no session {session_id}")]
    NotFound {
        /// As it was asked for.
        session_id: SyncSessionId,
    },
    /// It is not at the version that the change was meant for.
    #[error("the session is at version {actual}, not {expected}")]
    Conflict {
        /// The version that the change was meant for.
        expected: u64,
        /// The version that the session has.
        actual: u64,
    },
    /// The session itself refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It was switched too often.
    #[error("this session may be switched {per_second} times a second")]
    TooFast {
        /// How often it may be.
        per_second: u32,
        /// When the next one is possible.
        retry_after: Duration,
    },
    /// Switches of it were refused too often.
    #[error("more than {per_second} switches of this session a second were refused")]
    TooManyRefused {
        /// How often it may be.
        per_second: u32,
        /// When the next one is possible.
        retry_after: Duration,
    },
    /// The session's owner has as much as one person may have.
    #[error("whoever made it has {} {}, which is as many as one person may have", .bound.max(), .bound.what())]
    OwnerFull {
        /// Of what.
        bound: OwnerBound,
    },
    /// Too much waits.
    #[error("too many changes wait for their turn")]
    Busy,
    /// The store failed.
    #[error("the change could not be stored")]
    Store(#[from] StoreError),
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// No such session, or none that the caller may see.
    #[error("there is no session {session_id}")]
    NotFound {
        /// As it was asked for.
        session_id: SyncSessionId,
    },
}

/// Why sessions can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The limit is out of range.
    #[error("the limit {limit} is not between 1 and {SESSION_PAGE_MAX}")]
    InvalidLimit {
        /// As it was asked for.
        limit: u32,
    },
    /// The cursor is none of ours.
    #[error("the cursor is not one that a list gave")]
    InvalidCursor,
}

/// Why events can't be listed.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// The limit is out of range.
    #[error("the limit {limit} is not between 1 and {SESSION_EVENT_PAGE_MAX}")]
    InvalidLimit {
        /// As it was asked for.
        limit: u32,
    },
    /// No such session ever, or none that the caller may see.
    #[error("there is no session {session_id}, and was none")]
    NotFound {
        /// As it was asked for.
        session_id: SyncSessionId,
    },
    /// The store failed.
    #[error("the events could not be read")]
    Store(#[from] StoreError),
}

/// What a change answers.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The session since.
    pub snapshot: Arc<Snapshot>,
    /// The one who was switched out, if their time had run out.
    pub expired: Option<ParticipantId>,
}

impl Sessions {
    /// Makes a session.
    ///
    /// # Errors
    /// See [`CreateError`].
    pub async fn create(&self, caller: &Caller, request: CreateSessionRequest) -> Result<Arc<Snapshot>, CreateError> {
        validate(&request).map_err(|errors| CreateError::Invalid { errors })?;
        let room = self.room(caller, request.participants.len()).map_err(|full| match full {
            NoRoom::Node => CreateError::Full,
            NoRoom::Owner(bound) => CreateError::OwnerFull { bound },
        })?;
        // After that: the first session of a node that had none may have set the time.
        let session = Session::new(request, Arc::clone(&caller.subject), self.now_ms())
            .map_err(|errors| CreateError::Invalid { errors })?;
        let (reply, answer) = oneshot::channel();
        let id = session.id();
        self.send(id, Message::Create { session: Box::new(session), room, reply }).map_err(
            |refused| match refused {
                Refused::Busy => CreateError::Busy,
                Refused::Closed => StoreError::Closed.into(),
            },
        )?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Does something with a session: meant for one version of it, if one is given.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn change(
        &self,
        caller: &Caller,
        session_id: SyncSessionId,
        expected: Option<u64>,
        command: Command,
    ) -> Result<Changed, ChangeError> {
        let (reply, answer) = oneshot::channel();
        let caller = caller.clone();
        let message = Message::Change { session_id, caller, expected, command, at_ms: self.now_ms(), reply };
        self.send(session_id, message)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// Deletes a session. One that is not there, or not for the caller to see, is deleted as it is.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn delete(
        &self,
        caller: &Caller,
        session_id: SyncSessionId,
        expected: Option<u64>,
    ) -> Result<(), ChangeError> {
        let (reply, answer) = oneshot::channel();
        let message = Message::Delete { session_id, caller: caller.clone(), expected, at_ms: self.now_ms(), reply };
        self.send(session_id, message)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// One session, as it was last stored.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub fn get(&self, caller: &Caller, session_id: SyncSessionId) -> Result<Arc<Snapshot>, LookupError> {
        self.directory().get(caller, session_id).ok_or(LookupError::NotFound { session_id })
    }

    /// Listens to a session.
    ///
    /// # Errors
    /// See [`LookupError`].
    pub fn subscribe(&self, caller: &Caller, session_id: SyncSessionId) -> Result<Subscription, LookupError> {
        self.directory().subscribe(caller, session_id).ok_or(LookupError::NotFound { session_id })
    }

    /// Sessions that the caller may see, newest first.
    ///
    /// # Errors
    /// See [`ListError`].
    pub fn list(&self, caller: &Caller, query: &ListSessionsQuery) -> Result<SessionList, ListError> {
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=SESSION_PAGE_MAX).contains(&limit) {
            return Err(ListError::InvalidLimit { limit });
        }
        let before = query.cursor.as_deref().map(|text| parse_cursor(text).ok_or(ListError::InvalidCursor));
        let limit = limit as usize;
        let wanted = |snapshot: &Snapshot| query.status.is_none_or(|status| snapshot.session().status() == status);
        let mut page = self.directory().page(caller, before.transpose()?, limit + 1, wanted);
        let more = page.len() > limit;
        page.truncate(limit);
        let now_ms = self.now_ms();
        let items: Vec<SessionSummary> = page.iter().map(|snapshot| snapshot.session().summary(now_ms)).collect();
        let cursor = |last: &SessionSummary| format!("{}-{}", last.created_at.as_millis(), last.session_id);
        Ok(SessionList { next_cursor: items.last().filter(|_| more).map(cursor), items })
    }

    /// What happened to a session, oldest first; also to one that is gone.
    ///
    /// # Errors
    /// See [`EventsError`].
    pub async fn events(
        &self,
        caller: &Caller,
        session_id: SyncSessionId,
        query: ListSessionEventsQuery,
    ) -> Result<SessionEventList, EventsError> {
        let limit = query.limit.unwrap_or(EVENT_PAGE);
        if !(1..=SESSION_EVENT_PAGE_MAX).contains(&limit) {
            return Err(EventsError::InvalidLimit { limit });
        }
        let owner = (!caller.sees_all).then(|| caller.subject.as_ref().to_owned());
        let after = query.cursor.unwrap_or(0);
        let mut items = self.store_events(session_id, owner, after, limit + 1).await?;
        if items.is_empty() && query.cursor.is_none() {
            return Err(EventsError::NotFound { session_id });
        }
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        Ok(SessionEventList { next_cursor: items.last().filter(|_| more).map(|last| last.sequence.to_string()), items })
    }
}

/// Why a shard did not take a message.
pub(crate) enum Refused {
    Busy,
    Closed,
}

impl From<Refused> for ChangeError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy => Self::Busy,
            Refused::Closed => Self::Store(StoreError::Closed),
        }
    }
}

fn parse_cursor(text: &str) -> Option<Place> {
    let (created_at_ms, id) = text.split_once('-')?;
    Some((created_at_ms.parse().ok()?, id.parse().ok()?))
}
