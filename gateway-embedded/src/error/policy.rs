//! What goes wrong when people decide about the work.

use flowork_control::PolicyError;
use http::StatusCode;

use super::ApiError;

impl From<PolicyError> for ApiError {
    fn from(error: PolicyError) -> Self {
        let message = error.to_string();
        match error {
            PolicyError::TooManyPaused => Self::new(StatusCode::CONFLICT, "PAUSED_QUEUES_FULL", message)
                .hint("resume one first; GET /v1/queues lists them"),
            PolicyError::TooManyLimits => Self::new(StatusCode::CONFLICT, "LIMITS_FULL", message)
                .hint("remove one first; GET /v1/limits lists them"),
            PolicyError::UnknownLimit { .. } => {
                Self::new(StatusCode::NOT_FOUND, "LIMIT_NOT_FOUND", message).hint("GET /v1/limits lists the limits")
            }
            PolicyError::Store(error) => error.into(),
        }
    }
}
