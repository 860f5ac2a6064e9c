//! How the program ends: exit codes and the one form of its errors.

use std::{error::Error, fmt::Write as _};

use flowork_api_types::error::{ErrorBody, ErrorEnvelope, FieldError};
use reqwest::StatusCode;

/// What `flowork` returns to the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Unreachable = 4,
    Refused = 5,
    JobFailed = 6,
    Busy = 7,
    Taken = 8,
    Damaged = 9,
    Interrupted = 130,
}

/// For `--help`; the README has the same list.
pub(crate) const EXIT_CODES_HELP: &str = "\
Exit codes:
  0    ok
  1    failure
  2    wrong usage, or input that the node refused as invalid
  3    not found: job, job kind, module, provider
  4    the node is not running or cannot be reached
  5    refused: not signed in, or not permitted
  6    the job that was waited for failed, was cancelled or expired
  7    draining or overloaded: try again later
  8    the port or the data directory is taken by another process
  9    a shard or the audit log is damaged, or a repair could not keep every row
  130  interrupted; `serve`: stopped at once by a second signal";

/// An error on its way to the person or program that called.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) body: Box<ErrorBody>,
    /// Nobody reads any more; end without a word.
    pub(crate) silent: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        let body = ErrorBody { code, message, details: None, hint: None, request_id: None };
        Self { exit, body: Box::new(body), silent: false }
    }

    /// With the causes of `error` in the message.
    pub(crate) fn from_error(exit: Exit, code: &str, error: &dyn Error) -> Self {
        Self::new(exit, code, chain(error))
    }

    pub(crate) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.body.hint = hint.into();
        self
    }

    /// The reader of our output went away, as `flowork job list | head` does.
    pub(crate) fn nobody_reads() -> Self {
        Self { silent: true, ..Self::new(Exit::Failed, "BROKEN_PIPE", "nobody reads the output") }
    }

    /// An answer of the node that is no success.
    pub(crate) fn from_answer(status: StatusCode, answer: &[u8]) -> Self {
        let Ok(envelope) = serde_json::from_slice::<ErrorEnvelope>(answer) else {
            let text = String::from_utf8_lossy(answer);
            let start: String = text.chars().take(200).collect();
            return Self::new(exit_of(status, ""), "UNEXPECTED_ANSWER", format!("the node answered {status}: {start}"));
        };
        let exit = exit_of(status, &envelope.error.code);
        Self { exit, body: Box::new(envelope.error), silent: false }
    }

    /// For a person, with the fields that are wrong and the hint on lines of their own.
    pub(crate) fn for_people(&self) -> String {
        let mut text = format!("error: {}", self.body.message);
        let fields =
            self.body.details.clone().and_then(|details| serde_json::from_value::<Vec<FieldError>>(details).ok());
        for field in fields.unwrap_or_default() {
            let line = format!("{}: {}", field.field, field.message);
            // A single field is the message already.
            if line != self.body.message {
                let _ = write!(text, "\n  {line}");
            }
        }
        if let Some(hint) = &self.body.hint {
            let _ = write!(text, "\nhint: {hint}");
        }
        text
    }

    pub(crate) fn as_json(&self) -> String {
        let envelope = ErrorEnvelope { error: (*self.body).clone() };
        serde_json::to_string(&envelope).expect("the envelope is valid JSON")
    }
}

fn exit_of(status: StatusCode, code: &str) -> Exit {
    match status {
        _ if code == "UNKNOWN_KIND" => Exit::NotFound,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Refused,
        StatusCode::NOT_FOUND => Exit::NotFound,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => {
            Exit::Busy
        }
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => Exit::Usage,
        _ => Exit::Failed,
    }
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_documented_exit_codes() {
        let check = |status: u16, code: &str, exit: Exit| {
            let answer =
                format!(r#"{{"error":{{"code":"{code}","message":"m","details":null,"hint":"h","request_id":null}}}}"#);
            let failure = Failure::from_answer(StatusCode::from_u16(status).unwrap(), answer.as_bytes());
            assert_eq!(failure.exit, exit, "{status} {code}");
            assert_eq!(failure.for_people(), "error: m\nhint: h");
        };
        check(400, "UNKNOWN_KIND", Exit::NotFound);
        check(400, "VALIDATION_ERROR", Exit::Usage);
        check(401, "UNAUTHENTICATED", Exit::Refused);
        check(403, "FORBIDDEN", Exit::Refused);
        check(404, "JOB_NOT_FOUND", Exit::NotFound);
        check(409, "INVALID_STATE", Exit::Failed);
        check(422, "IDEMPOTENCY_KEY_REUSED", Exit::Usage);
        check(429, "QUEUE_FULL", Exit::Busy);
        check(503, "DRAINING", Exit::Busy);
        check(500, "INTERNAL", Exit::Failed);
    }

    #[test]
    fn wrong_fields_are_listed() {
        let answer = br#"{"error":{"code":"VALIDATION_ERROR","message":"m","details":[{"field":"/payload/a","message":"is no number"}],"hint":null,"request_id":null}}"#;
        let failure = Failure::from_answer(StatusCode::BAD_REQUEST, answer);
        assert_eq!(failure.for_people(), "error: m\n  /payload/a: is no number");
        let answer = br#"{"error":{"code":"VALIDATION_ERROR","message":"/a: is no number","details":[{"field":"/a","message":"is no number"}],"hint":null,"request_id":null}}"#;
        let failure = Failure::from_answer(StatusCode::BAD_REQUEST, answer);
        assert_eq!(failure.for_people(), "error: /a: is no number", "nothing is said twice");
    }

    #[test]
    fn answer_of_another_program_is_shown_from_its_start() {
        let failure = Failure::from_answer(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(failure.body.message, "the node answered 502 Bad Gateway: <html>");
    }
}
