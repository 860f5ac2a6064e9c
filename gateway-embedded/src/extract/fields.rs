//! From JSON to a type, with every complaint naming the field as a JSON pointer.

use flowork_api_types::error::FieldError;
use flowork_engine::kind::nearest;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value, error::Category};
use serde_path_to_error::{Path, Segment};

use crate::error::ApiError;

/// Reads the JSON text of an object.
pub(crate) fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Serde would take a list for an object, its items for the fields in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(ApiError::field("", "the body is a list; this call takes an object")
            .hint("put the fields by name into braces: {\"name\": value}"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let at = pointer(error.path());
        let error = error.into_inner();
        match error.classify() {
            Category::Data => ApiError::validation(&[field_error(at, &error.to_string())]),
            Category::Syntax | Category::Eof | Category::Io => malformed(&error),
        }
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// Reads an object that was JSON text before.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, FieldError> {
    if value.is_array() {
        return Err(FieldError { field: String::new(), message: "is a list; an object is needed".to_owned() });
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let at = pointer(error.path());
        field_error(at, &error.into_inner().to_string())
    })
}

/// What is wrong with a query string, from axum's words: `Failed to deserialize query string: limit: invalid digit`.
pub(crate) fn query_error(text: &str) -> ApiError {
    let reason = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(text);
    let (at, reason) = match reason.split_once(": ") {
        Some((name, rest)) if !name.contains([' ', '`']) => (format!("/{name}"), rest),
        _ => (String::new(), reason),
    };
    let FieldError { field, message } = field_error(at, reason);
    ApiError::field(&format!("?{}", field.trim_start_matches('/')), message)
}

fn malformed(error: &serde_json::Error) -> ApiError {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    let (line, column) = (error.line(), error.column());
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "MALFORMED_JSON",
        format!("the body is not JSON: {reason} (line {line}, column {column})"),
    )
    .details(serde_json::json!({"line": line, "column": column}))
    .hint("names and text need double quotes, and the last item no comma; in a shell, put the body in single quotes")
}

/// Serde says where for most errors, but puts a missing or unknown name into its words only.
fn field_error(mut at: String, said: &str) -> FieldError {
    let said = said.split(" at line ").next().unwrap_or_default();
    let mut message = said.to_owned();
    let mut quoted = said.split('`').skip(1).step_by(2);
    if said.starts_with("missing field `") {
        if let Some(name) = quoted.next() {
            at = format!("{at}/{name}");
            "is required".clone_into(&mut message);
        }
    } else if said.starts_with("unknown field `")
        && let Some(name) = quoted.next()
    {
        let pointed = format!("/{}", escape(name));
        if !at.ends_with(&pointed) {
            at.push_str(&pointed);
        }
        let known: Vec<_> = quoted.collect();
        message = match nearest(name, known.iter().copied()).first() {
            Some(near) => format!("is not known; did you mean {near}?"),
            None if known.is_empty() => "is not known; there are no fields here".to_owned(),
            None => format!("is not known; the fields are {}", known.join(", ")),
        };
    }
    FieldError { field: at, message }
}

fn pointer(path: &Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                text.push('/');
                text.push_str(&index.to_string());
            }
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                text.push('/');
                text.push_str(&escape(name));
            }
            Segment::Unknown => {}
        }
    }
    text
}

/// RFC 6901, section 3.
fn escape(name: &str) -> String {
    name.chars().take(100).collect::<String>().replace('~', "~0").replace('/', "~1")
}
