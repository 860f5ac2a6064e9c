//! The one error envelope: `{"error": {"code", "message", "details", "hint", "request_id"}}`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What every answer that is not a success carries.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorEnvelope {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong and what to do next.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// Stable, in `UPPER_SNAKE`; programs decide by this.
    #[schema(example = "UNKNOWN_KIND")]
    pub code: String,
    /// For a person.
    pub message: String,
    /// More for programs; its shape depends on `code`. A failed validation lists [`FieldError`]s.
    #[schema(value_type = Option<Value>)]
    pub details: Option<Value>,
    /// What to do next.
    pub hint: Option<String>,
    /// Also in the `X-Request-Id` header and in the log.
    pub request_id: Option<String>,
}

/// One field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body, such as `/payload/duration_ms`.
    pub field: String,
    /// Why it is wrong.
    pub message: String,
}
