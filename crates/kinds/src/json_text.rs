//! How long a text is as JSON.

/// Bytes of `text` as a JSON string, at most: a control character takes six.
pub(crate) fn json_bytes(text: &str) -> usize {
    text.bytes().map(|byte| if byte < 0x20 { 6 } else { 1 + usize::from(matches!(byte, b'"' | b'\\')) }).sum()
}
