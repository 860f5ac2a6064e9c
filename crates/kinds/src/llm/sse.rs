//! Reads server-sent events from pieces of any size. Only `data` matters here.

use std::collections::VecDeque;

/// One line; a piece of an answer has some hundred bytes.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Events as they come.
#[derive(Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    ready: VecDeque<String>,
    saw_any: bool,
}

impl Events {
    /// Takes bytes in.
    ///
    /// # Errors
    /// A line is too long, or is not UTF-8.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line()?;
            } else {
                self.line.push(byte);
                if self.line.len() > LINE_BYTES_MAX {
                    return Err("a line is too long");
                }
            }
        }
        Ok(())
    }

    /// The data of the next complete event.
    pub(crate) fn next_data(&mut self) -> Option<String> {
        self.ready.pop_front()
    }

    /// Whether any event came at all.
    pub(crate) fn saw_any(&self) -> bool {
        self.saw_any
    }

    fn end_line(&mut self) -> Result<(), &'static str> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let line = std::str::from_utf8(line).map_err(|_| "it is not text")?;
        // Each `data` line of this protocol is one document, so there is no need to wait for the empty line after it,
        // which some servers leave out.
        if let Some(data) = line.strip_prefix("data:") {
            self.saw_any = true;
            self.ready.push_back(data.trim().to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_out_however_the_bytes_are_split() {
        let stream =
            ": hello\r\ndata: {\"a\":1}\r\n\r\nevent: x\ndata:{\"b\":\"\u{e9}\"}\n\ndata: [DONE]\n\n".as_bytes();
        for size in 1..stream.len() {
            let mut events = Events::default();
            let mut found = Vec::new();
            for chunk in stream.chunks(size) {
                events.feed(chunk).unwrap();
                found.extend(std::iter::from_fn(|| events.next_data()));
            }
            assert_eq!(found, ["{\"a\":1}", "{\"b\":\"\u{e9}\"}", "[DONE]"], "pieces of {size} bytes");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut events = Events::default();
        assert!(events.feed(&vec![b'x'; LINE_BYTES_MAX + 1]).is_err());
    }
}
