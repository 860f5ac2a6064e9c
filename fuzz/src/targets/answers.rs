//! What programs and servers answer that the node asked.

use flowork_egress::Url;
use flowork_kinds::{Api, fuzzing};

use crate::node::runtime;

/// What a module may write in the fuzzed run; small, so that the bound is met.
const OUTPUT_BYTES_MAX: u64 = 64 << 10;

pub(super) fn module_output(data: &[u8]) {
    let within = runtime().block_on(fuzzing::module_output(data, OUTPUT_BYTES_MAX));
    assert!(within || data.len() as u64 > OUTPUT_BYTES_MAX, "nothing this short is over a bound");
}

pub(super) fn module_manifest(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        fuzzing::module_manifest(text);
    }
}

/// The first byte says whose protocol it is and how the stream is cut.
pub(super) fn llm_stream(data: &[u8]) {
    let Some((choice, stream)) = data.split_first() else { return };
    let api = if choice % 2 == 0 { Api::OpenAi } else { Api::Anthropic };
    let piece = usize::from(choice / 2).max(1);
    // What comes after the end is not read, so a stream may be refused in one piece and taken in several.
    if let Some(whole) = fuzzing::llm_stream(api, stream, usize::MAX) {
        assert_eq!(fuzzing::llm_stream(api, stream, piece), Some(whole), "however it is cut, it says the same");
    }
}

/// The content type on the first line, then the page.
pub(super) fn web_page(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let content_type = std::str::from_utf8(&data[..at]).ok();
    let url = Url::parse("https://example.com/a/b?c#d").expect("a URL");
    flowork_sample_modules::fuzzing::web_page(&data[at..], content_type, &url);
}
