//! How much is kept of what an attempt reports. An engine elsewhere may be any program: what it sends is cut here, to the
//! sizes that a [`Reporter`](crate::Reporter) keeps to.

use flowork_api_types::{
    engine::NewLogLine,
    job::{JobError, Progress},
};

use crate::kind::{LOG_LINE_BYTES_MAX, OUTPUT_BYTES_MAX, cut};

/// Log lines one renewal or finish may carry for a job.
const LINES_MAX: usize = 1_000;
/// An error, in bytes of JSON: it is stored with its job and with its attempt, and is in every list that shows the job.
pub const ERROR_BYTES_MAX: usize = 64 << 10;
/// What is left of the parts of an error that is larger. JSON takes up to six bytes for one of theirs, so that together
/// they always fit.
const MESSAGE_BYTES_MAX: usize = 8 << 10;
const HINT_BYTES_MAX: usize = 1 << 10;
const CODE_BYTES_MAX: usize = 256;

/// The end of the output is worth more than its start.
pub(super) fn cut_progress(mut progress: Progress) -> Progress {
    progress.fraction = progress.fraction.map(|fraction| fraction.clamp(0.0, 1.0));
    if let Some(message) = &mut progress.message {
        message.truncate(message.floor_char_boundary(LOG_LINE_BYTES_MAX));
    }
    if let Some(output) = &mut progress.output {
        let start = output.ceil_char_boundary(output.len().saturating_sub(OUTPUT_BYTES_MAX));
        output.drain(..start);
    }
    progress
}

pub(super) fn cut_lines(mut lines: Vec<NewLogLine>) -> Vec<NewLogLine> {
    lines.truncate(LINES_MAX);
    for line in &mut lines {
        line.message.truncate(line.message.floor_char_boundary(LOG_LINE_BYTES_MAX));
    }
    lines
}

/// Leaves an error as it is up to [`ERROR_BYTES_MAX`]. A larger one loses its details, and the ends of its texts.
pub fn cut_error(error: JobError) -> JobError {
    if serde_json::to_vec(&error).map_or(0, |text| text.len()) <= ERROR_BYTES_MAX {
        return error;
    }
    JobError {
        code: error.code[..error.code.floor_char_boundary(CODE_BYTES_MAX)].to_owned(),
        message: cut(&error.message, MESSAGE_BYTES_MAX),
        hint: error.hint.map(|hint| cut(&hint, HINT_BYTES_MAX)),
        details: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bytes(error: &JobError) -> usize {
        serde_json::to_vec(error).unwrap().len()
    }

    #[test]
    fn an_error_within_the_bound_is_kept_whole() {
        let mut error = JobError {
            code: "BOOM".to_owned(),
            message: "it broke".to_owned(),
            hint: Some("try again".to_owned()),
            details: Some(json!("")),
        };
        let room = ERROR_BYTES_MAX - bytes(&error);
        error.details = Some(json!("x".repeat(room)));
        assert_eq!(bytes(&error), ERROR_BYTES_MAX);
        assert_eq!(cut_error(error.clone()), error);
    }

    #[test]
    fn an_error_that_is_too_large_fits_whatever_its_texts_are() {
        for text in ["x", "é", "\u{0}", "\"", "🦀"] {
            let long = text.repeat(200_000);
            let error = JobError {
                code: long.clone(),
                message: long.clone(),
                hint: Some(long.clone()),
                details: Some(json!(long)),
            };
            let cut = cut_error(error);
            assert!(bytes(&cut) <= ERROR_BYTES_MAX, "{} of {text:?}", bytes(&cut));
            assert!(cut.code.starts_with(text) && cut.message.starts_with(text), "{text:?}");
            assert_eq!(cut.details, None);
        }
    }
}
