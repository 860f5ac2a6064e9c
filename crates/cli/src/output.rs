//! Standard output: JSON for programs, text for people.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::exit::{Exit, Failure};

/// How the caller wants answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON document, or JSON lines.
    Json,
    /// Text.
    People,
}

impl Format {
    /// Prints `value` as JSON, or what `text` makes of it.
    pub(crate) fn print<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        match self {
            Self::Json => line(&serde_json::to_string(value).expect("answers are valid JSON")),
            Self::People => line(&text(value)),
        }
    }

    pub(crate) fn is_json(self) -> bool {
        self == Self::Json
    }
}

/// Prints a line, at once.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::nobody_reads(),
        _ => Failure::new(Exit::Failed, "OUTPUT", format!("cannot write to standard output: {error}")),
    })
}

/// Says something to a person who watches; gone if nobody does.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// JSON as people read it.
pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a value is valid JSON")
}

/// Rows under headings, each column as wide as it needs.
pub(crate) fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..headings.len()).map(width).collect();
    let render = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let body = rows.iter().map(|row| render(row.iter().map(String::as_str).collect()));
    std::iter::once(render(headings.to_vec())).chain(body).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["a".to_owned(), "x".to_owned()], vec!["bcde".to_owned(), String::new()]];
        assert_eq!(table(&["ID", "B"], &rows), "ID    B\na     x\nbcde");
    }
}
