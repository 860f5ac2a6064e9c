//! Puts an answer together from its pieces.

use std::time::Instant;

use flowork_engine::JobFailure;
use serde_json::{Value, json};

/// Text of one answer; a result holds 1 MiB of JSON.
pub(super) const ANSWER_BYTES_MAX: usize = 512 << 10;

/// An answer as it grows.
pub(super) struct Answer {
    started: Instant,
    content: String,
    model: Option<String>,
    finish_reason: Option<String>,
    usage: Option<Value>,
    first_token_ms: Option<u64>,
    saw_choice: bool,
    done: bool,
}

impl Answer {
    /// An empty answer to a question that was sent at `started`.
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            content: String::new(),
            model: None,
            finish_reason: None,
            usage: None,
            first_token_ms: None,
            saw_choice: false,
            done: false,
        }
    }

    /// Takes a piece of a stream in; returns the text it adds.
    pub(super) fn add_piece(&mut self, piece: &Value) -> Result<Option<String>, JobFailure> {
        self.add_frame(piece);
        let Some(choice) = piece["choices"].get(0) else {
            return Ok(None);
        };
        self.add_choice(choice);
        match choice["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
            Some(text) => self.add_text(text).map(Some),
            None => Ok(None),
        }
    }

    /// Takes a whole answer in; returns its text, `None` if there is none.
    pub(super) fn add_whole(&mut self, document: &Value) -> Option<Result<String, JobFailure>> {
        self.add_frame(document);
        let choice = document["choices"].get(0)?;
        self.add_choice(choice);
        let text = choice["message"]["content"].as_str().or_else(|| choice["text"].as_str()).unwrap_or_default();
        Some(self.add_text(text))
    }

    /// The provider said that this is all.
    pub(super) fn mark_done(&mut self) {
        self.done = true;
    }

    /// Whether the provider said that it is finished.
    pub(super) fn is_complete(&self) -> bool {
        self.done || self.finish_reason.is_some()
    }

    /// Whether there was anything of an answer.
    pub(super) fn saw_choice(&self) -> bool {
        self.saw_choice
    }

    /// Length of the text so far.
    pub(super) fn content_bytes(&self) -> usize {
        self.content.len()
    }

    /// The result of the job, but for what only the call knows.
    pub(super) fn into_result(self, model: &str) -> Value {
        json!({
            "model": self.model.as_deref().unwrap_or(model),
            "content": self.content,
            "finish_reason": self.finish_reason,
            "usage": self.usage,
            "first_token_ms": self.first_token_ms,
        })
    }

    fn add_frame(&mut self, frame: &Value) {
        if let Some(model) = frame["model"].as_str().filter(|model| !model.is_empty()) {
            self.model = Some(model.to_owned());
        }
        let usage = &frame["usage"];
        if usage.is_object() {
            self.usage = Some(json!({
                "prompt_tokens": usage["prompt_tokens"],
                "completion_tokens": usage["completion_tokens"],
                "total_tokens": usage["total_tokens"],
            }));
        }
    }

    fn add_choice(&mut self, choice: &Value) {
        self.saw_choice = true;
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish_reason = Some(reason.to_owned());
        }
    }

    fn add_text(&mut self, text: &str) -> Result<String, JobFailure> {
        self.first_token_ms.get_or_insert_with(|| self.started.elapsed().as_millis() as u64);
        if self.content.len() + text.len() > ANSWER_BYTES_MAX {
            return Err(too_large());
        }
        self.content.push_str(text);
        Ok(text.to_owned())
    }
}

/// The failure of an answer that is too long.
pub(super) fn too_large() -> JobFailure {
    JobFailure::permanent("ANSWER_TOO_LARGE", format!("the answer is longer than {ANSWER_BYTES_MAX} bytes"))
        .hint("limit it with max_tokens, or ask for less at a time")
}
