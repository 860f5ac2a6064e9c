//! What goes wrong with schedules. No wildcard arms: a new variant does not compile until someone picks its status.

use flowork_api_types::{error::FieldError, schedule::SCHEDULES_MAX};
use flowork_engine::jobs::enqueue::EnqueueError;
use flowork_schedules::{ListError, LookupError, RunError, WriteError};
use http::StatusCode;
use serde_json::json;

use super::ApiError;

impl From<LookupError> for ApiError {
    fn from(error: LookupError) -> Self {
        let message = error.to_string();
        match error {
            LookupError::NotFound { .. } => not_found(message),
            LookupError::Store(error) => error.into(),
        }
    }
}

impl From<ListError> for ApiError {
    fn from(error: ListError) -> Self {
        let message = error.to_string();
        match error {
            ListError::InvalidLimit { .. } => Self::field("?limit", message),
            ListError::Store(error) => error.into(),
        }
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        let message = error.to_string();
        match error {
            WriteError::NotFound { .. } => not_found(message),
            WriteError::InvalidFields { errors } => Self::validation(&errors),
            WriteError::Timing(error) => {
                let answer = Self::field(error.field(), message);
                match error.hint() {
                    Some(hint) => answer.hint(hint),
                    None => answer,
                }
            }
            WriteError::Job(error) => of_job(error),
            WriteError::Full => Self::new(StatusCode::CONFLICT, "SCHEDULES_FULL", message)
                .details(json!({"max": SCHEDULES_MAX}))
                .hint("delete schedules that are no longer needed; one job may do the work of several"),
            WriteError::Store(error) => error.into(),
        }
    }
}

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        let message = error.to_string();
        match error {
            RunError::NotFound { .. } => not_found(message),
            RunError::Enqueue(error) => of_job(error),
            RunError::Store(error) => error.into(),
        }
    }
}

/// What an enqueue says about a request, said about the job within a schedule.
fn of_job(error: EnqueueError) -> ApiError {
    let within = |errors: Vec<FieldError>| -> Vec<FieldError> {
        let moved = |error: FieldError| FieldError { field: format!("/job{}", error.field), message: error.message };
        errors.into_iter().map(moved).collect()
    };
    match error {
        EnqueueError::InvalidPayload { kind, errors } => EnqueueError::InvalidPayload { kind, errors: within(errors) },
        EnqueueError::InvalidFields { errors } => EnqueueError::InvalidFields { errors: within(errors) },
        other => other,
    }
    .into()
}

fn not_found(message: String) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "SCHEDULE_NOT_FOUND", message).hint("GET /v1/schedules lists the schedules")
}
