//! OpenAI's chat completions: what is sent, and what comes back.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Usage};
use crate::llm::trouble::Trouble;

/// Below the base URL.
pub(super) const PATH: &str = "chat/completions";
/// The data of the last event.
pub(super) const END: &str = "[DONE]";

/// The request. The payload is in its words, but for what says whom to ask.
pub(super) fn body(payload: &Map<String, Value>, model: &str) -> Value {
    let mut body = payload.clone();
    body.insert("model".to_owned(), model.into());
    body.insert("stream".to_owned(), true.into());
    body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    Value::Object(body)
}

/// Takes a piece of a stream in; returns the text it adds.
pub(super) fn take_piece(answer: &mut Answer, piece: &Value) -> Result<Option<String>, Trouble> {
    take_frame(answer, piece);
    let Some(choice) = piece["choices"].get(0) else { return Ok(None) };
    take_choice(answer, choice);
    let Some(text) = choice["delta"]["content"].as_str().filter(|text| !text.is_empty()) else { return Ok(None) };
    answer.add_text(text)?;
    Ok(Some(text.to_owned()))
}

/// Takes a whole answer in; returns its text, `None` if it is none.
pub(super) fn take_whole(answer: &mut Answer, document: &Value) -> Option<Result<String, Trouble>> {
    take_frame(answer, document);
    let choice = document["choices"].get(0)?;
    take_choice(answer, choice);
    let text = choice["message"]["content"].as_str().or_else(|| choice["text"].as_str()).unwrap_or_default();
    Some(answer.add_text(text).map(|()| text.to_owned()))
}

fn take_frame(answer: &mut Answer, frame: &Value) {
    answer.set_model(frame["model"].as_str());
    let usage = &frame["usage"];
    answer.set_usage(Usage {
        prompt: usage["prompt_tokens"].as_u64(),
        completion: usage["completion_tokens"].as_u64(),
        total: usage["total_tokens"].as_u64(),
    });
}

fn take_choice(answer: &mut Answer, choice: &Value) {
    answer.mark_begun();
    answer.set_finish_reason(choice["finish_reason"].as_str());
}
