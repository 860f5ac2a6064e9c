//! Extractors that answer bad input with the field and the reason.

mod body;
mod fields;
mod optional_body;

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path, Query};
use flowork_api_types::job::IDEMPOTENCY_KEY_BYTES_MAX;
use http::{HeaderName, StatusCode, request::Parts};
use serde::de::DeserializeOwned;

pub(crate) use body::JsonBody;
pub(crate) use fields::from_value;
pub(crate) use optional_body::OptionalJsonBody;

use crate::error::ApiError;

/// Makes an enqueue safe to repeat.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// An id in the path.
pub(crate) struct PathId<T>(pub(crate) T);

impl<S, T> FromRequestParts<S> for PathId<T>
where
    S: Send + Sync,
    T: FromStr<Err: std::fmt::Display>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "INVALID_ID", "the id in the path is not text"))?;
        let id = text
            .parse()
            .map_err(|error: T::Err| ApiError::new(StatusCode::BAD_REQUEST, "INVALID_ID", error.to_string()))?;
        Ok(Self(id))
    }
}

/// The query string.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(fields::query_error(&rejection.body_text())),
        }
    }
}

/// The `Idempotency-Key` header, which enqueues require.
pub(crate) struct IdempotencyKey(pub(crate) String);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        match (values.next(), values.next()) {
            (None, _) => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "IDEMPOTENCY_KEY_REQUIRED",
                "the Idempotency-Key header is missing",
            )
            .hint("send a new random key with each new job, and the same key again when you repeat a request")),
            (Some(_), Some(_)) => Err(invalid_key("the Idempotency-Key header came more than once")),
            (Some(value), None) => match value.to_str() {
                Ok(key) if key.len() <= IDEMPOTENCY_KEY_BYTES_MAX => Ok(Self(key.to_owned())),
                Ok(_) => Err(invalid_key(&format!("the key is longer than {IDEMPOTENCY_KEY_BYTES_MAX} bytes"))),
                Err(_) => Err(invalid_key("the key has characters outside of visible ASCII")),
            },
        }
    }
}

/// The same header where a request may do without.
pub(crate) struct OptionalIdempotencyKey(pub(crate) Option<String>);

impl<S: Sync> FromRequestParts<S> for OptionalIdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if parts.headers.contains_key(IDEMPOTENCY_KEY) {
            IdempotencyKey::from_request_parts(parts, state).await.map(|key| Self(Some(key.0)))
        } else {
            Ok(Self(None))
        }
    }
}

fn invalid_key(reason: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "INVALID_IDEMPOTENCY_KEY", reason)
}
