//! What goes wrong in the engine. No wildcard arms: a new variant does not compile until someone picks its status.

use std::time::Duration;

use flowork_api_types::JobId;
use flowork_engine::{
    engines::FixWorkersError,
    jobs::{
        act::ActionError,
        batch::BatchLookupError,
        enqueue::EnqueueError,
        lease::EngineCallError,
        query::{JobLookupError, ListError},
        redrive::RedriveError,
    },
};
use http::StatusCode;
use serde_json::json;

use super::ApiError;

impl From<EnqueueError> for ApiError {
    fn from(error: EnqueueError) -> Self {
        let message = error.to_string();
        match error {
            EnqueueError::UnknownKind { kind, nearest } => {
                let hint = match nearest.as_slice() {
                    // It is there for the asking, and nowhere to be seen until then.
                    _ if kind == "command.run" => "the owner turns it on: commands.enabled = true and a list of \
                                                   commands.programs in config.toml, then a restart"
                        .to_owned(),
                    [] => "GET /v1/kinds lists every kind".to_owned(),
                    near => format!("did you mean {}? GET /v1/kinds lists every kind", near.join(" or ")),
                };
                Self::new(StatusCode::BAD_REQUEST, "UNKNOWN_KIND", message)
                    .details(json!({"nearest": nearest}))
                    .hint(hint)
            }
            EnqueueError::InvalidPayload { kind, errors } => {
                Self::validation(&errors).hint(format!("GET /v1/kinds has the JSON Schema of the payload of {kind}"))
            }
            EnqueueError::InvalidFields { errors } => Self::validation(&errors),
            EnqueueError::PayloadTooLarge { max, .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
                    .details(json!({"max_bytes": max}))
                    .hint("put large data in a file on the node's machine and name the file in the payload")
            }
            EnqueueError::InvalidIdempotencyKey { .. } => {
                Self::new(StatusCode::BAD_REQUEST, "INVALID_IDEMPOTENCY_KEY", message)
            }
            EnqueueError::IdempotencyKeyReused { original, .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", message)
                    .details(json!({"original_job_id": original}))
                    .hint("use a new key for a new job; repeat a request only with the very same body")
            }
            EnqueueError::BatchKeyReused { batch_id } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED", message)
                    .details(json!({"original_batch_id": batch_id}))
                    .hint("use a new key for a new batch; repeat a request only with the very same jobs and callback")
            }
            EnqueueError::UnknownEngine { .. } => {
                Self::new(StatusCode::NOT_FOUND, "ENGINE_NOT_FOUND", message).hint("GET /v1/engines lists the engines")
            }
            EnqueueError::UniqueKeyHeld { holder } => unique_key_held(holder, message),
            EnqueueError::KindUnavailable { .. } => Self::new(StatusCode::CONFLICT, "KIND_UNAVAILABLE", message)
                .hint("leave engine_id out to let the node pick, or see GET /v1/kinds for who runs the kind"),
            EnqueueError::QueueFull { retry_after, .. } => queue_full(message, retry_after),
            EnqueueError::Draining { retry_after } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "DRAINING", message).retry_after(retry_after)
            }
            EnqueueError::Store(error) => error.into(),
        }
    }
}

impl From<JobLookupError> for ApiError {
    fn from(error: JobLookupError) -> Self {
        let message = error.to_string();
        match error {
            JobLookupError::NotFound { .. } => job_not_found(message),
            JobLookupError::Corrupt { job_id, .. } => job_corrupt(job_id, message),
            JobLookupError::Store(error) => error.into(),
        }
    }
}

impl From<ListError> for ApiError {
    fn from(error: ListError) -> Self {
        let message = error.to_string();
        match error {
            ListError::InvalidCursor => Self::new(StatusCode::BAD_REQUEST, "INVALID_CURSOR", message)
                .hint("pass next_cursor of the page before as it is, or leave it out for the first page"),
            ListError::InvalidLimit { .. } => Self::field("?limit", message),
            ListError::UnknownEngine { .. } => {
                Self::new(StatusCode::NOT_FOUND, "ENGINE_NOT_FOUND", message).hint("GET /v1/engines lists the engines")
            }
            ListError::Store(error) => error.into(),
        }
    }
}

impl From<ActionError> for ApiError {
    fn from(error: ActionError) -> Self {
        let message = error.to_string();
        match error {
            ActionError::NotFound { .. } => job_not_found(message),
            ActionError::InvalidState { state, .. } => {
                Self::new(StatusCode::CONFLICT, "INVALID_STATE", message).details(json!({"state": state}))
            }
            ActionError::UniqueKeyHeld { holder, .. } => unique_key_held(holder, message),
            ActionError::QueueFull { retry_after, .. } => queue_full(message, retry_after),
            ActionError::Corrupt { job_id, .. } => job_corrupt(job_id, message),
            ActionError::Store(error) => error.into(),
        }
    }
}

impl From<RedriveError> for ApiError {
    fn from(error: RedriveError) -> Self {
        match error {
            RedriveError::InvalidFields { errors } => Self::validation(&errors),
            RedriveError::Store(error) => error.into(),
        }
    }
}

impl From<BatchLookupError> for ApiError {
    fn from(error: BatchLookupError) -> Self {
        let message = error.to_string();
        match error {
            BatchLookupError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "BATCH_NOT_FOUND", message),
            BatchLookupError::Store(error) => error.into(),
        }
    }
}

impl From<EngineCallError> for ApiError {
    fn from(error: EngineCallError) -> Self {
        let message = error.to_string();
        match error {
            EngineCallError::UnknownEngine { .. } => Self::new(StatusCode::NOT_FOUND, "ENGINE_NOT_FOUND", message),
            EngineCallError::Invalid { errors } => Self::validation(&errors),
            EngineCallError::Store(error) => error.into(),
        }
    }
}

impl From<FixWorkersError> for ApiError {
    fn from(error: FixWorkersError) -> Self {
        let message = error.to_string();
        match error {
            FixWorkersError::UnknownEngine { .. } => {
                Self::new(StatusCode::NOT_FOUND, "ENGINE_NOT_FOUND", message).hint("GET /v1/engines lists the engines")
            }
            FixWorkersError::OutOfRange { workers: 0 } => Self::field("/workers", message)
                .hint("to run nothing for a while, drain the node: POST /drain, or `flowork drain on`"),
            FixWorkersError::OutOfRange { .. } => Self::field("/workers", message),
        }
    }
}

fn job_not_found(message: String) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "JOB_NOT_FOUND", message)
}

fn job_corrupt(job_id: JobId, message: String) -> ApiError {
    tracing::error!(%job_id, message, "a stored job failed its hash");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "JOB_CORRUPT", message)
        .hint("the disk returned other data than was written; check the disk, and restore a snapshot")
}

fn unique_key_held(holder: JobId, message: String) -> ApiError {
    ApiError::new(StatusCode::CONFLICT, "UNIQUE_KEY_HELD", message)
        .details(json!({"job_id": holder}))
        .hint("wait for the end of that job or cancel it, or leave unique_key out")
}

fn queue_full(message: String, retry_after: Duration) -> ApiError {
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "QUEUE_FULL", message).retry_after(retry_after)
}
