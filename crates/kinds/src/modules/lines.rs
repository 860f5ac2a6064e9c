//! Reads lines with bounds on the length of one and on all together.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Why reading ended early.
#[derive(Debug)]
pub(super) enum LineError {
    /// All together are over the bound.
    TooMuch,
    /// One is over the bound.
    TooLong,
    /// The pipe broke.
    Io(io::Error),
}

/// What to do with a line over its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overlong {
    Refuse,
    Cut,
}

/// Lines of a stream.
pub(super) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    line_max: usize,
    overlong: Overlong,
    total: u64,
    total_max: u64,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Reads from `reader`.
    pub(super) fn new(reader: R, line_max: usize, overlong: Overlong, total_max: u64) -> Self {
        Self { reader, line: Vec::new(), line_max, overlong, total: 0, total_max }
    }

    /// The next line without its end; `None` at the end of the stream. A last line need not be ended.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, LineError> {
        loop {
            let available = self.reader.fill_buf().await.map_err(LineError::Io)?;
            if available.is_empty() {
                let rest = std::mem::take(&mut self.line);
                return Ok((!rest.is_empty()).then_some(rest));
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let piece = &available[..end.unwrap_or(available.len())];
            let room = self.line_max.saturating_sub(self.line.len());
            if piece.len() > room && self.overlong == Overlong::Refuse {
                return Err(LineError::TooLong);
            }
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            let used = end.map_or(available.len(), |end| end + 1);
            self.reader.consume(used);
            self.total += used as u64;
            if self.total > self.total_max {
                return Err(LineError::TooMuch);
            }
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.line)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &[u8], overlong: Overlong, total_max: u64) -> (Vec<String>, Option<LineError>) {
        let mut lines = Lines::new(tokio::io::BufReader::with_capacity(3, text), 5, overlong, total_max);
        let mut found = Vec::new();
        loop {
            match lines.next().await {
                Ok(Some(line)) => found.push(String::from_utf8(line).unwrap()),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error)),
            }
        }
    }

    #[tokio::test]
    async fn lines_are_bounded() {
        let (lines, end) = read(b"ab\n\nabcde\nlast", Overlong::Refuse, 100).await;
        assert_eq!((lines, end.is_none()), (["ab", "", "abcde", "last"].map(str::to_owned).to_vec(), true));
        assert!(matches!(read(b"abcdef\n", Overlong::Refuse, 100).await.1, Some(LineError::TooLong)));
        assert_eq!(read(b"abcdefgh\nx\n", Overlong::Cut, 100).await.0, ["abcde", "x"]);
        assert!(matches!(read(b"a\nb\nc\nd\n", Overlong::Cut, 5).await.1, Some(LineError::TooMuch)));
    }
}
