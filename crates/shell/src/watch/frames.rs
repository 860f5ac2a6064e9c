//! Server-sent events out of pieces of any size.

/// The longest line that is kept; a longer one is an event that nobody here reads.
const LINE_BYTES_MAX: usize = 256 << 10;
/// The most data that one event may have.
const DATA_BYTES_MAX: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What kind of event.
    pub(crate) event: String,
    /// Where in the stream it is.
    pub(crate) id: Option<String>,
    /// What it says.
    pub(crate) data: String,
}

/// Puts events together. Fields are read as the HTML standard says, but for `retry`, which nobody sends.
#[derive(Default)]
pub(crate) struct Frames {
    line: Vec<u8>,
    frame: Frame,
    after_return: bool,
}

impl Frames {
    /// Takes the next piece and returns the events that it completes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let mut found = Vec::new();
        for &byte in bytes {
            // A line ends with LF, CR or both.
            let rest_of_end = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            match byte {
                b'\n' if rest_of_end => {}
                b'\n' | b'\r' => found.extend(self.end_line()),
                _ if self.line.len() < LINE_BYTES_MAX => self.line.push(byte),
                _ => {}
            }
        }
        found
    }

    fn end_line(&mut self) -> Option<Frame> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            return (frame != Frame::default()).then_some(frame);
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.frame.event),
            "id" => self.frame.id = Some(value.to_owned()),
            "data" if self.frame.data.len() + value.len() < DATA_BYTES_MAX => {
                if !self.frame.data.is_empty() {
                    self.frame.data.push('\n');
                }
                self.frame.data.push_str(value);
            }
            // Comments keep the connection alive and say nothing.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": alive\n\nevent: job.changed\nid: a-1\ndata: {\"x\":1}\n\n:\n\ndata: one\ndata:two\n\n";

    fn expected() -> Vec<Frame> {
        let changed =
            Frame { event: "job.changed".to_owned(), id: Some("a-1".to_owned()), data: "{\"x\":1}".to_owned() };
        vec![changed, Frame { data: "one\ntwo".to_owned(), ..Frame::default() }]
    }

    #[test]
    fn events_are_the_same_in_pieces_of_any_size_and_with_any_line_ends() {
        for stream in [STREAM.to_owned(), STREAM.replace('\n', "\r\n"), STREAM.replace('\n', "\r")] {
            for size in 1..=stream.len() {
                let mut frames = Frames::default();
                let found: Vec<_> = stream.as_bytes().chunks(size).flat_map(|piece| frames.feed(piece)).collect();
                assert_eq!(found, expected(), "in pieces of {size} bytes");
            }
        }
    }

    #[test]
    fn endless_line_takes_no_more_memory_than_its_bound() {
        let mut frames = Frames::default();
        let piece = vec![b'x'; 64 << 10];
        for _ in 0..32 {
            assert!(frames.feed(&piece).is_empty());
        }
        assert!(frames.line.len() <= LINE_BYTES_MAX);
        assert!(frames.feed(b"\n\n").is_empty());
        assert_eq!(frames.feed(b"data: on\n\n").len(), 1, "what comes after it is read");
    }
}
