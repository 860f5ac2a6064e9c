//! What a request says by itself: keys, names and numbers that must be in range.

use flowork_api_types::{
    Timestamp,
    error::FieldError,
    job::{EnqueueRequest, IDEMPOTENCY_KEY_BYTES_MAX},
    limit::TARGET_NAME_BYTES_MAX,
};

use super::EnqueueError;

/// Tags a job may have.
const TAGS_MAX: usize = 16;
/// Characters of a tag or queue name.
const NAME_CHARS_MAX: usize = 64;
/// The farthest `run_at` and `delay_ms`, in milliseconds: a year.
const DELAY_MS_MAX: u64 = 31_536_000_000;
/// The longest attempt and the longest backoff, in milliseconds: a day.
const DAY_MS: u64 = 86_400_000;

/// Refuses keys that would be trouble in a header, a log or an index.
pub(in crate::jobs) fn check_key(key: &str) -> Result<(), EnqueueError> {
    let reason = if key.is_empty() {
        "is empty"
    } else if key.len() > IDEMPOTENCY_KEY_BYTES_MAX {
        "is longer than 255 bytes"
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        "has characters other than visible ASCII"
    } else {
        return Ok(());
    };
    Err(EnqueueError::InvalidIdempotencyKey { reason })
}

pub(super) fn check_fields(request: &EnqueueRequest, now: Timestamp) -> Result<(), EnqueueError> {
    let mut errors = Vec::new();
    let mut wrong = |field: &str, message: String| errors.push(FieldError { field: field.to_owned(), message });
    let mut range = |field: &str, value: Option<u64>, min: u64, max: u64| {
        if let Some(value) = value.filter(|value| !(min..=max).contains(value)) {
            wrong(field, format!("{value} is not between {min} and {max}"));
        }
    };
    range("/priority", request.priority.map(u64::from), 0, 1_000);
    range("/attempts_max", request.attempts_max.map(u64::from), 1, 100);
    range("/timeout_ms", request.timeout_ms, 1, DAY_MS);
    range("/concurrency_max", request.concurrency_max.map(u64::from), 1, 10_000);
    range("/delay_ms", request.delay_ms, 0, DELAY_MS_MAX);
    range("/backoff/initial_ms", request.backoff.map(|backoff| backoff.initial_ms), 0, DAY_MS);
    range("/backoff/max_ms", request.backoff.map(|backoff| backoff.max_ms), 0, DAY_MS);
    if request.backoff.is_some_and(|backoff| !(1.0..=100.0).contains(&backoff.factor)) {
        wrong("/backoff/factor", "the factor is not between 1 and 100".to_owned());
    }
    if request.run_at.is_some() && request.delay_ms.is_some() {
        wrong("/delay_ms", "give run_at or delay_ms, not both".to_owned());
    }
    if request.run_at.is_some_and(|at| at.as_millis() > now.as_millis() + DELAY_MS_MAX as i64) {
        wrong("/run_at", "is more than a year ahead".to_owned());
    }
    if request.expires_at.is_some_and(|at| at <= now) {
        wrong("/expires_at", "is in the past".to_owned());
    }
    if request.queue.as_deref().is_some_and(|queue| !is_name(queue)) {
        wrong("/queue", "a queue's name has 1 to 64 letters, digits, dots, dashes or underscores".to_owned());
    }
    for (field, key) in [("/unique_key", &request.unique_key), ("/concurrency_key", &request.concurrency_key)] {
        if key.as_deref().is_some_and(|key| !is_limit_key(key)) {
            wrong(field, format!("a key has 1 to {TARGET_NAME_BYTES_MAX} bytes and no control characters"));
        }
    }
    if request.concurrency_max.is_some() && request.concurrency_key.is_none() {
        wrong("/concurrency_max", "bounds the jobs of a concurrency_key, and there is none".to_owned());
    }
    if request.tags.len() > TAGS_MAX {
        wrong("/tags", format!("there are {} tags; at most {TAGS_MAX} are allowed", request.tags.len()));
    }
    for (index, tag) in request.tags.iter().enumerate() {
        if tag.is_empty() || tag.chars().count() > NAME_CHARS_MAX {
            wrong(&format!("/tags/{index}"), format!("a tag has 1 to {NAME_CHARS_MAX} characters"));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(EnqueueError::InvalidFields { errors }) }
}

fn is_limit_key(text: &str) -> bool {
    (1..=TARGET_NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Whether a queue may be called so.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(body: Value) -> EnqueueRequest {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn every_field_out_of_range_is_named() {
        let check = |body: Value, field: &str| {
            let error = check_fields(&request(body), Timestamp(1_000_000)).unwrap_err();
            let EnqueueError::InvalidFields { errors } = error else { panic!("{error}") };
            assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), [field]);
        };
        check(json!({"kind": "noop", "priority": 1001}), "/priority");
        check(json!({"kind": "noop", "attempts_max": 0}), "/attempts_max");
        check(json!({"kind": "noop", "timeout_ms": 0}), "/timeout_ms");
        check(json!({"kind": "noop", "delay_ms": DELAY_MS_MAX + 1}), "/delay_ms");
        check(json!({"kind": "noop", "delay_ms": 1, "run_at": "1970-01-01T00:00:00Z"}), "/delay_ms");
        check(json!({"kind": "noop", "run_at": "2999-01-01T00:00:00Z"}), "/run_at");
        check(json!({"kind": "noop", "expires_at": "1970-01-01T00:00:00Z"}), "/expires_at");
        check(json!({"kind": "noop", "queue": "no spaces"}), "/queue");
        check(json!({"kind": "noop", "tags": [""]}), "/tags/0");
        check(json!({"kind": "noop", "backoff": {"factor": 0.5}}), "/backoff/factor");
    }

    #[test]
    fn keys_are_visible_ascii_of_bounded_length() {
        assert!(check_key("a-1_~").is_ok());
        for bad in ["", "with space", "tab\t", "ü", &"x".repeat(256)] {
            assert!(check_key(bad).is_err(), "{bad:?}");
        }
    }
}
