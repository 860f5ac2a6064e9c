//! A stream of a provider without a provider.

use std::time::Instant;

use serde_json::Value;

use super::{answer::Answer, anthropic, openai};
use crate::llm::{Api, sse::Events};

/// Reads `bytes` as the whole answer of a provider, and as its stream in pieces of `piece` bytes; returns how many bytes
/// of text were taken out of the stream, `None` if it is refused.
pub fn stream(api: Api, bytes: &[u8], piece: usize) -> Option<usize> {
    let mut whole = Answer::new(Instant::now());
    if let Ok(document) = serde_json::from_slice::<Value>(bytes) {
        _ = match api {
            Api::OpenAi => openai::take_whole(&mut whole, &document),
            Api::Anthropic => anthropic::take_whole(&mut whole, &document),
        };
    }
    let (mut events, mut answer) = (Events::default(), Answer::new(Instant::now()));
    for chunk in bytes.chunks(piece.max(1)) {
        events.feed(chunk).ok()?;
        while let Some(data) = events.next_data() {
            if api == Api::OpenAi && data == openai::END {
                return Some(answer.content_bytes());
            }
            let piece = serde_json::from_str::<Value>(&data).ok()?;
            match api {
                Api::OpenAi => openai::take_piece(&mut answer, &piece),
                Api::Anthropic => anthropic::take_piece(&mut answer, &piece),
            }
            .ok()?;
        }
    }
    Some(answer.content_bytes())
}
