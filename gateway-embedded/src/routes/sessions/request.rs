//! What requests about sync sessions hold. Every complaint is a `VALIDATION_ERROR` whose details have a code each, also
//! about text that is no JSON.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use flowork_api_types::{SyncSessionId, error::FieldError, session::SessionFieldError};
use http::{StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    app::AppState,
    error::ApiError,
    extract::{JsonBody, OptionalJsonBody, QueryOf},
};

/// The id in the path.
pub(crate) struct SessionPath(pub(crate) SyncSessionId);

/// A JSON body.
pub(crate) struct SessionBody<T, const MAX: usize>(pub(crate) T);

/// A JSON body that may be left out.
pub(crate) struct OptionalSessionBody<T, const MAX: usize>(pub(crate) T);

/// The query string.
pub(crate) struct SessionQuery<T>(pub(crate) T);

/// The version in the header `If-Match`, if there is one.
pub(crate) struct IfMatch(Option<u64>);

impl IfMatch {
    /// The version that a change is meant for: the header's or the body's, which must not differ.
    pub(crate) fn or(self, in_body: Option<u64>) -> Result<Option<u64>, ApiError> {
        match (self.0, in_body) {
            (Some(header), Some(body)) if header != body => {
                Err(field("/expected_version", format!("is {body}, and If-Match says {header}"), "contradicts"))
            }
            (header, body) => Ok(header.or(body)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(header::IF_MATCH).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(Self(None)),
            (Some(value), None) => value.to_str().unwrap_or_default().trim(),
            (Some(_), Some(_)) => "",
        };
        // Any version will do.
        if value == "*" {
            return Ok(Self(None));
        }
        let number = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        match number.parse() {
            Ok(version) if number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self(Some(version))),
            _ => Err(field("If-Match", "must be a version in quotes, such as \"7\"".to_owned(), "invalid")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SessionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = Path::<String>::from_request_parts(parts, state).await.map_or_else(|_| String::new(), |path| path.0);
        text.parse().map(Self).map_err(|error| field("session_id", format!("{error}"), "invalid_uuid"))
    }
}

impl<T: DeserializeOwned, const MAX: usize> FromRequest<AppState> for SessionBody<T, MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let read = JsonBody::<T, MAX>::from_request(request, app).await;
        read.map(|body| Self(body.0)).map_err(|error| with_codes(&error))
    }
}

impl<T: DeserializeOwned + Default, const MAX: usize> FromRequest<AppState> for OptionalSessionBody<T, MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let read = OptionalJsonBody::<T, MAX>::from_request(request, app).await;
        read.map(|body| Self(body.0)).map_err(|error| with_codes(&error))
    }
}

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for SessionQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read = QueryOf::<T>::from_request_parts(parts, state).await;
        read.map(|query| Self(query.0)).map_err(|error| with_codes(&error))
    }
}

/// 400 `VALIDATION_ERROR` naming the fields, each with a code.
pub(crate) fn invalid(errors: &[SessionFieldError]) -> ApiError {
    let message = match errors {
        [one] if one.field.is_empty() => one.message.clone(),
        [one] => format!("{}: {}", one.field, one.message),
        many => format!("{} fields are not valid; details lists them", many.len()),
    };
    ApiError::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
        .details(serde_json::to_value(errors).unwrap_or_default())
}

/// 400 `VALIDATION_ERROR` naming one field.
pub(crate) fn field(field: &str, message: String, code: &str) -> ApiError {
    invalid(&[SessionFieldError { field: field.to_owned(), message, code: code.to_owned() }])
}

/// The same complaint with a code for each field. Errors about anything else stay what they are.
fn with_codes(error: &ApiError) -> ApiError {
    let body = error.body(None);
    let hint = body.hint.clone();
    let coded = match error.code() {
        "MALFORMED_JSON" => field("", body.message, "malformed_json"),
        "VALIDATION_ERROR" => {
            let fields: Vec<FieldError> =
                serde_json::from_value(body.details.unwrap_or(Value::Null)).unwrap_or_default();
            let coded = |FieldError { field, message }: FieldError| {
                let code = code_of(&message).to_owned();
                SessionFieldError { field, message, code }
            };
            invalid(&fields.into_iter().map(coded).collect::<Vec<_>>())
        }
        _ => return error.clone(),
    };
    match hint {
        Some(hint) => coded.hint(hint),
        None => coded,
    }
}

/// What a complaint of the reader is about.
fn code_of(message: &str) -> &'static str {
    if message == "is required" {
        "required"
    } else if message.starts_with("is not known") {
        "unknown_field"
    } else if message.starts_with("invalid type") || message.starts_with("the body is a list") {
        "invalid_type"
    } else if message.contains("is not a UUID") {
        "invalid_uuid"
    } else if message.starts_with("unknown variant") {
        "unknown_value"
    } else {
        "invalid"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(values: &[&str], expected: Result<Option<u64>, ()>) {
        let mut request = http::Request::new(());
        for value in values {
            request.headers_mut().append(header::IF_MATCH, value.parse().unwrap());
        }
        let (mut parts, ()) = request.into_parts();
        let found = IfMatch::from_request_parts(&mut parts, &()).await.map(|found| found.0).map_err(|_| ());
        assert_eq!(found, expected, "{values:?}");
    }

    #[tokio::test]
    async fn a_version_is_read_from_if_match() {
        check(&[], Ok(None)).await;
        check(&["\"7\""], Ok(Some(7))).await;
        check(&["7"], Ok(Some(7))).await;
        check(&["*"], Ok(None)).await;
        for bad in ["", "\"\"", "\"seven\"", "W/\"7\"", "-1", "+7", "\"7\", \"8\"", "18446744073709551616"] {
            check(&[bad], Err(())).await;
        }
        check(&["\"7\"", "\"7\""], Err(())).await;
    }

    #[test]
    fn header_and_body_must_not_contradict_each_other() {
        assert_eq!(IfMatch(Some(7)).or(Some(7)).unwrap(), Some(7));
        assert_eq!(IfMatch(None).or(Some(8)).unwrap(), Some(8));
        assert_eq!(IfMatch(Some(7)).or(Some(8)).unwrap_err().code(), "VALIDATION_ERROR");
    }
}
