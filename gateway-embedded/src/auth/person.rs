//! Who calls: people and engines, as records and tokens tell.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::extract::FromRequestParts;
use flowork_admission::Network;
use flowork_api_types::{
    EngineId, SessionId,
    admin::Scopes,
    auth::Role,
    member::{GuestArea, MEMBER_PREFIX},
};
use flowork_control::{ControlStore, EngineProof, TokenLife};
use flowork_engine::{clock::wall_now, jobs::Caller};
use flowork_tokens::{AdminClaims, SignedBy, TokenKeys, UserClaims};
use http::{StatusCode, request::Parts};

use super::permission::{GuestOpenings, Standing};
use crate::{app::GatewayState, error::ApiError};

impl GuestOpenings {
    /// What is open to guests now.
    pub(crate) fn now(control: &ControlStore) -> Self {
        let open = |area| control.guests_may_see(area);
        Self { jobs: open(GuestArea::Jobs), sessions: open(GuestArea::Sessions) }
    }
}

/// Whose share of what there is for all a call takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Account {
    Person(Arc<str>),
    /// All guests have one name, which anybody can have, so they are told apart by where they call from.
    Guest(Network),
    Engine(EngineId),
}

/// A person, signed in or with a token; also one who calls with an admin token.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) subject: Arc<str>,
    /// From the records, where they know the subject. With an admin token it is the weakest: scopes count, not the role.
    pub(crate) role: Role,
    pub(crate) session_id: Option<SessionId>,
    /// What an admin token is for; `None` for every other token.
    pub(crate) scopes: Option<Scopes>,
    /// What is open to them as a guest.
    open: GuestOpenings,
    /// Seconds since the epoch at which the token ends.
    expires_at_s: u64,
    /// The key of the token.
    signed_by: SignedBy,
}

impl Person {
    /// The person of a valid access token, if the records still let them in.
    pub(super) fn of_user(control: &ControlStore, claims: UserClaims) -> Result<Self, ApiError> {
        let mut person = Self {
            subject: claims.subject,
            role: claims.role,
            session_id: claims.session_id,
            scopes: None,
            open: GuestOpenings::default(),
            expires_at_s: claims.expires_at_s,
            signed_by: claims.signed_by,
        };
        person.role = person.role_now(control).ok_or_else(|| refused(&person))?;
        if person.role == Role::Guest {
            person.open = GuestOpenings::now(control);
        }
        Ok(person)
    }

    /// The person of a valid admin token, if who made it is still the owner, and signed in as then.
    pub(super) fn of_admin(control: &ControlStore, claims: AdminClaims) -> Result<Self, ApiError> {
        let person = Self {
            subject: claims.subject,
            role: Role::Guest,
            session_id: claims.session_id,
            scopes: Some(claims.scopes),
            open: GuestOpenings::default(),
            expires_at_s: claims.expires_at_s,
            signed_by: claims.signed_by,
        };
        if person.is_known(control) { Ok(person) } else { Err(refused(&person)) }
    }

    /// What this person sees and may do about jobs.
    pub(crate) fn caller(&self) -> Caller {
        Caller {
            subject: Arc::clone(&self.subject),
            sees_all: self.open.jobs || matches!(self.role, Role::Owner | Role::Operator | Role::Viewer),
            may_act: matches!(self.role, Role::Owner | Role::Operator | Role::Member),
        }
    }

    /// What this person sees and may do about sync sessions.
    pub(crate) fn session_caller(&self) -> Caller {
        Caller {
            sees_all: self.open.sessions || matches!(self.role, Role::Owner | Role::Operator | Role::Viewer),
            ..self.caller()
        }
    }

    /// Whose share a call of this person takes that comes from `address`.
    pub(crate) fn account(&self, address: IpAddr) -> Account {
        match self.standing() {
            Standing::Guest(_) => Account::Guest(Network::from(address)),
            _ => Account::Person(Arc::clone(&self.subject)),
        }
    }

    /// How this person stands, as far as permissions care.
    pub(crate) fn standing(&self) -> Standing {
        match (self.scopes, self.role) {
            (Some(scopes), _) => Standing::Admin(scopes),
            (None, Role::Guest) => Standing::Guest(self.open),
            (None, role) => Standing::Person(role),
        }
    }

    /// Whether an event about something of `owner` is for this person.
    pub(crate) fn sees(&self, owner: Option<&str>) -> bool {
        self.caller().sees_all || owner.is_none_or(|owner| owner == &*self.subject)
    }

    /// Whether the token's key and the records still say of this person what they said when the request came. Long
    /// answers ask again.
    pub(crate) fn is_let_in(&self, state: &GatewayState) -> bool {
        self.token_counts(&state.tokens) && self.is_known(&state.control)
    }

    /// The same, as a refusal.
    pub(crate) fn check(&self, state: &GatewayState) -> Result<(), ApiError> {
        if self.is_let_in(state) { Ok(()) } else { Err(refused(self)) }
    }

    /// Whether the key of the token still counts: that of a script ends with nothing else before its time.
    pub(crate) fn token_counts(&self, tokens: &TokenKeys) -> bool {
        tokens.counts(self.signed_by, wall_now())
    }

    /// Whether the records say the same.
    pub(crate) fn is_known(&self, control: &ControlStore) -> bool {
        if self.scopes.is_some() {
            return self.session_id.is_none_or(|id| control.session_is_live(id))
                && control.role_of(&self.subject) == Some(Role::Owner);
        }
        let open_now = |area| control.guests_may_see(area);
        self.role_now(control) == Some(self.role)
            && (!self.open.jobs || open_now(GuestArea::Jobs))
            && (!self.open.sessions || open_now(GuestArea::Sessions))
    }

    /// How long the token still works.
    pub(crate) fn time_left(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_secs(self.expires_at_s).saturating_sub(now)
    }

    /// The role by the records: of a session's person and of every member the member's, of a guest theirs while guests are
    /// let in, and of a script the one that the owner signed.
    fn role_now(&self, control: &ControlStore) -> Option<Role> {
        match self.session_id {
            Some(id) if !control.session_is_live(id) => None,
            Some(_) => control.role_of(&self.subject),
            None if self.subject.starts_with(MEMBER_PREFIX) => control.role_of(&self.subject),
            None if self.role == Role::Guest => control.guest_policy().enabled.then_some(Role::Guest),
            None => Some(self.role),
        }
    }
}

fn refused(person: &Person) -> ApiError {
    if person.session_id.is_none() && person.role == Role::Guest && person.scopes.is_none() {
        return ApiError::unauthorized("GUESTS_NOT_ADMITTED", "the owner of this node lets no guests in")
            .hint("ask the owner for a link, and sign in with it");
    }
    ApiError::unauthorized("SESSION_ENDED", "this session has ended").hint("sign in again")
}

/// The engine that calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallingEngine(pub(crate) EngineId);

/// What the calling engine proved itself with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EnginePass {
    /// Which token stands behind the call, in the end.
    pub(crate) proof: EngineProof,
    /// The key of the short token that the call came with; `None` where it came with the engine's own.
    pub(crate) short: Option<SignedBy>,
}

impl EnginePass {
    /// How long the token behind it counts, as far as is known now. A short token ends in its own time as well.
    pub(crate) fn life(&self, control: &ControlStore, tokens: &TokenKeys) -> TokenLife {
        if self.short.is_some_and(|key| !tokens.counts(key, wall_now())) {
            return TokenLife::Over;
        }
        control.engine_token_life(self.proof.id, self.proof.generation)
    }

    /// Whether it still counts, as a refusal.
    pub(crate) fn check(&self, state: &GatewayState) -> Result<(), ApiError> {
        if self.life(&state.control, &state.tokens).counts(state.clock.now()) {
            return Ok(());
        }
        let message = "the engine's token behind this one was revoked or replaced";
        Err(ApiError::unauthorized("ENGINE_TOKEN_INVALID", message)
            .hint("`flowork engine token rotate` on the node makes a new one"))
    }
}

impl<S: Sync> FromRequestParts<S> for Person {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::unauthenticated)
    }
}

impl<S: Sync> FromRequestParts<S> for CallingEngine {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().copied().ok_or_else(ApiError::unauthenticated)
    }
}

impl<S: Sync> FromRequestParts<S> for EnginePass {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().copied().ok_or_else(ApiError::unauthenticated)
    }
}

/// 403 for a call that asks for the engine's own token.
pub(crate) fn engine_token_required() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "ENGINE_TOKEN_REQUIRED", "this call needs the engine's own token")
        .hint("send the token in X-Engine-Token; what it was exchanged for is not enough here")
}
