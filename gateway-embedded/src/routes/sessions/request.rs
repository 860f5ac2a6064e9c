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

/// The header `If-Match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// It is not there, or any version will do.
    Any,
    /// Only this version.
    Version(u64),
    /// A weak tag, which is the same as no version ever. Source: RFC 9110, section 13.1.1.
    Weak,
}

impl IfMatch {
    /// The version that a change is meant for: the header's or the body's, which must not differ.
    pub(crate) fn or(self, in_body: Option<u64>) -> Result<Option<u64>, ApiError> {
        match (self, in_body) {
            (Self::Weak, _) => Err(weak()),
            (Self::Version(header), Some(body)) if header != body => {
                Err(field("/expected_version", format!("is {body}, and If-Match says {header}"), "contradicts"))
            }
            (Self::Version(header), _) => Ok(Some(header)),
            (Self::Any, body) => Ok(body),
        }
    }
}

fn weak() -> ApiError {
    let message = "If-Match has a weak tag, and those match nothing";
    ApiError::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", message).hint(
        "send the session's version in quotes, such as \"7\"; proxies that compress make the tags of answers weak",
    )
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(header::IF_MATCH).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Ok(Self::Any),
            (Some(value), None) => value.to_str().unwrap_or_default().trim(),
            (Some(_), Some(_)) => "",
        };
        // Any version will do.
        if value == "*" {
            return Ok(Self::Any);
        }
        if value.strip_prefix("W/").is_some_and(is_quoted) {
            return Ok(Self::Weak);
        }
        let number = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        match number.parse() {
            Ok(version) if number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self::Version(version)),
            _ => Err(field("If-Match", "must be a version in quotes, such as \"7\"".to_owned(), "invalid")),
        }
    }
}

fn is_quoted(text: &str) -> bool {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).is_some_and(|inner| !inner.contains('"'))
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

    async fn check(values: &[&str], expected: Result<IfMatch, ()>) {
        let mut request = http::Request::new(());
        for value in values {
            request.headers_mut().append(header::IF_MATCH, value.parse().unwrap());
        }
        let (mut parts, ()) = request.into_parts();
        let found = IfMatch::from_request_parts(&mut parts, &()).await.map_err(|_| ());
        assert_eq!(found, expected, "{values:?}");
    }

    #[tokio::test]
    async fn a_version_is_read_from_if_match() {
        check(&[], Ok(IfMatch::Any)).await;
        check(&["\"7\""], Ok(IfMatch::Version(7))).await;
        check(&["7"], Ok(IfMatch::Version(7))).await;
        check(&["*"], Ok(IfMatch::Any)).await;
        check(&["W/\"7\""], Ok(IfMatch::Weak)).await;
        for bad in ["", "\"\"", "\"seven\"", "W/7", "W/\"7", "-1", "+7", "\"7\", \"8\"", "18446744073709551616"] {
            check(&[bad], Err(())).await;
        }
        check(&["\"7\"", "\"7\""], Err(())).await;
    }

    #[test]
    fn header_and_body_must_not_contradict_each_other() {
        assert_eq!(IfMatch::Version(7).or(Some(7)).unwrap(), Some(7));
        assert_eq!(IfMatch::Any.or(Some(8)).unwrap(), Some(8));
        assert_eq!(IfMatch::Version(7).or(Some(8)).unwrap_err().code(), "VALIDATION_ERROR");
        let weak = IfMatch::Weak.or(Some(7)).unwrap_err();
        assert_eq!((weak.status(), weak.code()), (StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED"));
    }
}
