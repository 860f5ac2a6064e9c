//! Puts an answer together from its pieces, whatever the protocol.

use std::time::Instant;

use flowork_engine::JobFailure;
use serde_json::{Value, json};

use crate::llm::trouble::{Class, Trouble};

/// Text of one answer; a result holds 1 MiB of JSON.
pub(super) const ANSWER_BYTES_MAX: usize = 512 << 10;

/// An answer as it grows.
#[derive(Debug)]
pub(super) struct Answer {
    started: Instant,
    content: String,
    model: Option<String>,
    finish_reason: Option<String>,
    usage: Usage,
    first_token_ms: Option<u64>,
    is_begun: bool,
    is_done: bool,
}

/// Tokens, as far as the provider told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) prompt: Option<u64>,
    pub(super) completion: Option<u64>,
    pub(super) total: Option<u64>,
}

impl Answer {
    /// An empty answer to a question that was sent at `started`.
    pub(super) fn new(started: Instant) -> Self {
        Self {
            started,
            content: String::new(),
            model: None,
            finish_reason: None,
            usage: Usage::default(),
            first_token_ms: None,
            is_begun: false,
            is_done: false,
        }
    }

    /// The model that answers, as the provider names it.
    pub(super) fn set_model(&mut self, model: Option<&str>) {
        if let Some(model) = model.filter(|model| !model.is_empty()) {
            self.model = Some(model.to_owned());
        }
    }

    /// Takes in what is told of the usage; what is not told stays.
    pub(super) fn set_usage(&mut self, told: Usage) {
        self.usage.prompt = told.prompt.or(self.usage.prompt);
        self.usage.completion = told.completion.or(self.usage.completion);
        self.usage.total = told.total.or(self.usage.total);
    }

    /// Something of an answer came, text or not.
    pub(super) fn mark_begun(&mut self) {
        self.is_begun = true;
    }

    /// Why the provider ended the answer.
    pub(super) fn set_finish_reason(&mut self, reason: Option<&str>) {
        if let Some(reason) = reason {
            self.finish_reason = Some(reason.to_owned());
        }
    }

    /// The provider said that this is all.
    pub(super) fn mark_done(&mut self) {
        self.is_done = true;
    }

    /// Adds text; refuses more than a result can hold.
    pub(super) fn add_text(&mut self, text: &str) -> Result<(), Trouble> {
        self.first_token_ms.get_or_insert_with(|| self.started.elapsed().as_millis() as u64);
        if self.content.len() + text.len() > ANSWER_BYTES_MAX {
            return Err(too_large());
        }
        self.content.push_str(text);
        Ok(())
    }

    /// Whether the provider said that it is finished.
    pub(super) fn is_complete(&self) -> bool {
        self.is_done || self.finish_reason.is_some()
    }

    /// Whether there was anything of an answer.
    pub(super) fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// Length of the text so far.
    pub(super) fn content_bytes(&self) -> usize {
        self.content.len()
    }

    /// The result of the job, but for what only the route knows.
    pub(super) fn into_result(self, model: &str) -> Value {
        let Usage { prompt, completion, total } = self.usage;
        let total = total.or_else(|| Some(prompt?.saturating_add(completion?)));
        let usage = (prompt.is_some() || completion.is_some() || total.is_some())
            .then(|| json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}));
        json!({
            "model": self.model.as_deref().unwrap_or(model),
            "content": self.content,
            "finish_reason": self.finish_reason,
            "usage": usage,
            "first_token_ms": self.first_token_ms,
            "elapsed_ms": self.started.elapsed().as_millis() as u64,
        })
    }
}

/// The failure of an answer that is too long.
pub(super) fn too_large() -> Trouble {
    let failure =
        JobFailure::permanent("ANSWER_TOO_LARGE", format!("the answer is longer than {ANSWER_BYTES_MAX} bytes"))
            .hint("limit it with max_tokens, or ask for less at a time");
    Trouble::new(Class::Rejected, failure)
}
