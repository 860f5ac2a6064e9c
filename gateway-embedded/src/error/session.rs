//! What goes wrong with sync sessions. No wildcard arms: a new variant does not compile until someone picks its status.

use std::time::Duration;

use flowork_api_types::session::{PARTICIPANTS_TOTAL_MAX, SESSIONS_MAX};
use flowork_sync::{ChangeError, CreateError, EventsError, ListError, LookupError, OwnerBound, machine::Refusal};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use super::ApiError;
use crate::routes::sessions::request::{field, invalid};

/// Source: draft-ietf-httpapi-ratelimit-headers-10.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// How long to wait when too much waits already.
const RETRY_BUSY: Duration = Duration::from_secs(1);
/// How long to wait for a session of one's own to end. Most take minutes.
const RETRY_OWN: Duration = Duration::from_mins(1);

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        let message = error.to_string();
        match error {
            CreateError::Invalid { errors } => invalid(&errors),
            CreateError::Exists { session_id } => Self::new(StatusCode::CONFLICT, "SESSION_EXISTS", message)
                .details(json!({"session_id": session_id}))
                .hint("pick another id; any random UUID will do"),
            CreateError::Full => Self::new(StatusCode::CONFLICT, "SESSIONS_FULL", message)
                .details(json!({"sessions_max": SESSIONS_MAX, "participants_max": PARTICIPANTS_TOTAL_MAX}))
                .hint("delete sessions that are over; they are also removed some time after their end"),
            CreateError::OwnerFull { bound } => owner_full(message, bound),
            CreateError::Busy => busy(message),
            CreateError::Store(error) => error.into(),
        }
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let message = error.to_string();
        match error {
            ChangeError::NotFound { .. } => not_found(message),
            ChangeError::Conflict { expected, actual } => Self::new(StatusCode::CONFLICT, "CONFLICT", message)
                .details(json!({"expected_version": expected, "actual_version": actual}))
                .hint("look at the session as it is now, and decide again"),
            ChangeError::Refused(Refusal::InvalidTransition { status, action }) => {
                Self::new(StatusCode::BAD_REQUEST, "INVALID_STATE_TRANSITION", message)
                    .details(json!({"status": status, "action": action}))
                    .hint("allowed_actions of the session says what is possible")
            }
            ChangeError::Refused(Refusal::UnknownParticipant { .. }) => {
                field("/next_participant_id", message, "unknown_participant")
            }
            ChangeError::Refused(Refusal::NoTimeLeft { .. }) => {
                field("/next_participant_id", message, "no_time_left").hint(
                    "name somebody who has time left, or leave next_participant_id out: the next who has some gets the turn",
                )
            }
            ChangeError::TooFast { per_second, retry_after } => too_fast(message, "switches", per_second, retry_after)
                .hint("the owner of the node sets sync.switches_per_second in config.toml; 0 lifts the limit"),
            ChangeError::TooManyRefused { per_second, retry_after } => {
                too_fast(message, "refused_switches", per_second, retry_after)
                    .hint("look at the answers before you ask again: they say why the session is not switched")
            }
            ChangeError::OwnerFull { bound } => owner_full(message, bound),
            ChangeError::Busy => busy(message),
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<LookupError> for ApiError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::NotFound { .. } => not_found(error.to_string()),
        }
    }
}

impl From<ListError> for ApiError {
    fn from(error: ListError) -> Self {
        let message = error.to_string();
        match error {
            ListError::InvalidLimit { .. } => field("?limit", message, "out_of_range"),
            ListError::InvalidCursor => field("?cursor", message, "invalid"),
        }
    }
}

impl From<EventsError> for ApiError {
    fn from(error: EventsError) -> Self {
        let message = error.to_string();
        match error {
            EventsError::InvalidLimit { .. } => field("?limit", message, "out_of_range"),
            EventsError::NotFound { .. } => not_found(message),
            EventsError::Store(error) => error.into(),
        }
    }
}

fn not_found(message: String) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND", message).hint("GET /v1/sessions lists the sessions")
}

fn busy(message: String) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", message).retry_after(RETRY_BUSY)
}

fn too_fast(message: String, budget: &str, per_second: u32, retry_after: Duration) -> ApiError {
    exceeded(message, budget, retry_after, json!({}))
        .header(RATE_LIMIT_POLICY, header_value(&format!("\"{budget}\";q={per_second};w=1")))
}

fn owner_full(message: String, bound: OwnerBound) -> ApiError {
    let (budget, hint) = match bound {
        OwnerBound::Sessions => {
            ("sessions_held", "delete sessions that are over; they go by themselves some time later")
        }
        OwnerBound::Participants => ("participants_held", "delete sessions that are over, or make smaller ones"),
        OwnerBound::Running => ("sessions_running", "pause, complete or cancel another session first"),
    };
    exceeded(message, budget, RETRY_OWN, json!({"max": bound.max()})).hint(hint)
}

/// 429 as the interface of sync sessions has it.
fn exceeded(message: String, budget: &str, retry_after: Duration, mut details: serde_json::Value) -> ApiError {
    let seconds = retry_after.as_millis().div_ceil(1_000).max(1) as u64;
    details["budget"] = json!(budget);
    details["retry_after_seconds"] = json!(seconds);
    details["retry_after_ms"] = json!(retry_after.as_millis() as u64);
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED", message)
        .details(details)
        .header(RATE_LIMIT, header_value(&format!("\"{budget}\";r=0;t={seconds}")))
        .retry_after(retry_after)
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("names and numbers are header text")
}
