//! Keeps what a program writes: the start for the result, the end for a failure, and all of it flows on to viewers.

use std::collections::VecDeque;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use encoding_rs::{Decoder, UTF_8};
use flowork_engine::Reporter;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::json_text::json_bytes;

/// The end of a stream, in the details of a failure.
const TAIL_BYTES: usize = 4 << 10;
/// A stream that needs more than this as JSON text goes into the result as base64.
const JSON_TEXT_BYTES_MAX: usize = 400 << 10;

/// Both streams of a program.
pub(super) struct Captured {
    stdout: Stream,
    stderr: Stream,
}

struct Stream {
    name: &'static str,
    head: Vec<u8>,
    head_max: usize,
    tail: VecDeque<u8>,
    bytes: u64,
}

impl Captured {
    /// Nothing yet; keeps at most `bytes_max` of each stream.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { stdout: Stream::new("stdout", bytes_max), stderr: Stream::new("stderr", bytes_max) }
    }

    /// Reads both streams to their ends; what comes on stdout is shown as it comes. What is not kept is read all the
    /// same, for a program stands still when nobody reads it.
    pub(super) async fn read(
        &mut self,
        stdout: impl AsyncRead + Unpin,
        stderr: impl AsyncRead + Unpin,
        reporter: &Reporter,
    ) {
        let Self { stdout: out, stderr: err } = self;
        tokio::join!(out.read(stdout, Some(reporter)), err.read(stderr, None));
    }

    /// Whether more was written than is kept.
    pub(super) fn is_truncated(&self) -> bool {
        self.stdout.is_truncated() || self.stderr.is_truncated()
    }

    /// Writes `stdout`, `stderr` and their lengths into a result.
    pub(super) fn put_into(self, result: &mut Value) {
        self.stdout.put_into(result);
        self.stderr.put_into(result);
    }

    /// The ends of both streams.
    pub(super) fn tails(&self) -> Value {
        json!({"stdout_tail": self.stdout.tail(), "stderr_tail": self.stderr.tail()})
    }
}

impl Stream {
    fn new(name: &'static str, head_max: usize) -> Self {
        Self { name, head: Vec::new(), head_max, tail: VecDeque::with_capacity(TAIL_BYTES), bytes: 0 }
    }

    async fn read(&mut self, mut pipe: impl AsyncRead + Unpin, reporter: Option<&Reporter>) {
        let mut decoder = UTF_8.new_decoder_without_bom_handling();
        let mut buffer = vec![0; 16 << 10];
        loop {
            match pipe.read(&mut buffer).await {
                Ok(0) => return,
                Ok(count) => {
                    self.take(&buffer[..count]);
                    if let Some(reporter) = reporter {
                        reporter.output(&decode(&mut decoder, &buffer[..count]));
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, stream = self.name, "the pipe of a program broke");
                    return;
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let room = self.head_max - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let end = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let over = (self.tail.len() + end.len()).saturating_sub(TAIL_BYTES);
        self.tail.drain(..over);
        self.tail.extend(end);
    }

    fn is_truncated(&self) -> bool {
        self.bytes > self.head.len() as u64
    }

    fn tail(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn put_into(self, result: &mut Value) {
        result[format!("{}_bytes", self.name)] = self.bytes.into();
        match self.text() {
            Some(text) => result[self.name] = text.into(),
            None => result[format!("{}_base64", self.name)] = STANDARD.encode(&self.head).into(),
        }
    }

    /// The start as text, if it is text. The cut may have gone through a character.
    fn text(&self) -> Option<&str> {
        let text = match std::str::from_utf8(&self.head) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && self.is_truncated() => {
                std::str::from_utf8(&self.head[..error.valid_up_to()]).ok()?
            }
            Err(_) => return None,
        };
        (json_bytes(text) <= JSON_TEXT_BYTES_MAX).then_some(text)
    }
}

/// A character may come in two pieces.
fn decode(decoder: &mut Decoder, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(bytes.len() * 3));
    let _ = decoder.decode_to_string(bytes, &mut text, false);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(max: usize, pieces: &[&[u8]]) -> Stream {
        let mut stream = Stream::new("stdout", max);
        for piece in pieces {
            stream.take(piece);
        }
        stream
    }

    #[test]
    fn the_start_and_the_end_are_kept() {
        let stream = captured(4, &[b"abc", b"def", b"ghi"]);
        assert_eq!((stream.text(), stream.tail().as_str(), stream.bytes), (Some("abcd"), "abcdefghi", 9));
        assert!(stream.is_truncated());
        let long = vec![b'x'; TAIL_BYTES * 2];
        let stream = captured(4, &[&long, b"end"]);
        assert_eq!(stream.tail().len(), TAIL_BYTES);
        assert!(stream.tail().ends_with("xend"));
        assert!(!captured(3, &[b"abc"]).is_truncated());
    }

    #[test]
    fn a_cut_character_is_left_out_and_other_bytes_are_not_text() {
        assert_eq!(captured(2, &["aé".as_bytes()]).text(), Some("a"));
        assert_eq!(captured(9, &[b"a\xff"]).text(), None);
        let controls = vec![1_u8; 100 << 10];
        assert_eq!(captured(200 << 10, &[&controls]).text(), None, "as JSON this is six times as long");
    }
}
