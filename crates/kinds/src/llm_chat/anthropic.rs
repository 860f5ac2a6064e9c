//! Anthropic's messages: what is sent, and what comes back.
//!
//! Source: <https://docs.anthropic.com/en/api/messages> and <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Usage};
use crate::llm::trouble::Trouble;

/// Below the base URL.
pub(super) const PATH: &str = "messages";
/// The protocol wants a bound; this one fits every model, and a longer answer is asked for by `max_tokens`.
const MAX_TOKENS_DEFAULT: u64 = 4096;
/// Where its scale ends; that of the payload goes to 2.
const TEMPERATURE_MAX: f64 = 1.0;

/// Options of the payload that this protocol does not have and that change what an answer is.
pub(super) const UNSUPPORTED: [&str; 1] = ["response_format"];

/// The request: what the system says stands apart, `stop` has another name, and a seed is unknown.
pub(super) fn body(payload: &Map<String, Value>, model: &str) -> Value {
    let messages = payload.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let (system, messages): (Vec<&Value>, Vec<&Value>) =
        messages.iter().partition(|message| message["role"] == "system");
    let system: Vec<_> = system.iter().filter_map(|message| message["content"].as_str()).collect();
    let mut body = json!({
        "model": model,
        "messages": messages,
        "max_tokens": payload.get("max_tokens").and_then(Value::as_u64).unwrap_or(MAX_TOKENS_DEFAULT),
        "stream": true,
    });
    if !system.is_empty() {
        body["system"] = system.join("\n\n").into();
    }
    if let Some(temperature) = payload.get("temperature").and_then(Value::as_f64) {
        body["temperature"] = temperature.min(TEMPERATURE_MAX).into();
    }
    for (ours, theirs) in [("top_p", "top_p"), ("stop", "stop_sequences")] {
        if let Some(value) = payload.get(ours) {
            body[theirs] = value.clone();
        }
    }
    body
}

/// Takes an event in; returns the text it adds. Those of a kind that is not known here change nothing.
pub(super) fn take_piece(answer: &mut Answer, piece: &Value) -> Result<Option<String>, Trouble> {
    match piece["type"].as_str().unwrap_or_default() {
        "message_start" => {
            answer.set_model(piece["message"]["model"].as_str());
            take_usage(answer, &piece["message"]["usage"]);
        }
        "content_block_start" => answer.mark_begun(),
        "content_block_delta" => {
            answer.mark_begun();
            let text = piece["delta"]["text"].as_str().filter(|text| !text.is_empty());
            if let Some(text) = text.filter(|_| piece["delta"]["type"] == "text_delta") {
                answer.add_text(text)?;
                return Ok(Some(text.to_owned()));
            }
        }
        "message_delta" => {
            answer.mark_begun();
            answer.set_finish_reason(finish_reason(&piece["delta"]["stop_reason"]));
            take_usage(answer, &piece["usage"]);
        }
        "message_stop" => answer.mark_done(),
        _ => {}
    }
    Ok(None)
}

/// Takes a whole answer in; returns its text, `None` if it is none.
pub(super) fn take_whole(answer: &mut Answer, document: &Value) -> Option<Result<String, Trouble>> {
    let blocks = document["content"].as_array()?;
    answer.mark_begun();
    answer.set_model(document["model"].as_str());
    answer.set_finish_reason(finish_reason(&document["stop_reason"]));
    take_usage(answer, &document["usage"]);
    let text: String = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
    Some(answer.add_text(&text).map(|()| text))
}

/// In the words of the other protocol, so that a result reads the same whoever answered.
fn finish_reason(reason: &Value) -> Option<&str> {
    Some(match reason.as_str()? {
        "end_turn" | "stop_sequence" => "stop",
        "max_tokens" => "length",
        "refusal" => "content_filter",
        other => other,
    })
}

/// What a cache gave is part of the prompt.
fn take_usage(answer: &mut Answer, usage: &Value) {
    let cached = ["cache_creation_input_tokens", "cache_read_input_tokens"];
    // A provider may say any number.
    let cached = cached.iter().filter_map(|name| usage[name].as_u64()).fold(0, u64::saturating_add);
    answer.set_usage(Usage {
        prompt: usage["input_tokens"].as_u64().map(|tokens| tokens.saturating_add(cached)),
        completion: usage["output_tokens"].as_u64(),
        total: None,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_told_in_the_other_protocols_words() {
        let payload = json!({
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
                {"role": "system", "content": "Be kind."},
            ],
            "temperature": 1.7, "stop": ["\n"], "top_p": 0.5, "seed": 7,
        });
        assert_eq!(
            body(payload.as_object().unwrap(), "m"),
            json!({
                "model": "m", "stream": true, "max_tokens": MAX_TOKENS_DEFAULT, "system": "Be brief.\n\nBe kind.",
                "messages": [{"role": "user", "content": "Hi"}],
                "temperature": 1.0, "stop_sequences": ["\n"], "top_p": 0.5,
            })
        );
    }

    #[test]
    fn thinking_is_no_part_of_the_text() {
        let mut answer = Answer::new(std::time::Instant::now());
        let piece = json!({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}});
        assert_eq!(take_piece(&mut answer, &piece).unwrap(), None);
        let piece = json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}});
        assert_eq!(take_piece(&mut answer, &piece).unwrap().as_deref(), Some("Hi"));
        assert_eq!(answer.content_bytes(), 2);
    }
}
