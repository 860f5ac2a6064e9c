//! Guesses what a CSV file does not say: its delimiter, and whether its first row is a header. Pure.

use std::collections::HashMap;

use csv::ReaderBuilder;
use serde::Deserialize;

use super::value::{ValueType, value_type};

/// Rows of the sample that are looked at.
const ROWS: usize = 100;

/// The delimiter as given.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) enum Delimiter {
    #[default]
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = ",")]
    Comma,
    #[serde(rename = ";")]
    Semicolon,
    #[serde(rename = "tab", alias = "\t")]
    Tab,
    #[serde(rename = "|")]
    Pipe,
}

impl Delimiter {
    /// The byte between two fields; `None` if it is to be guessed.
    pub(super) fn byte(self) -> Option<u8> {
        match self {
            Self::Auto => None,
            Self::Comma => Some(b','),
            Self::Semicolon => Some(b';'),
            Self::Tab => Some(b'\t'),
            Self::Pipe => Some(b'|'),
        }
    }
}

/// The delimiter as inputs and results write it.
pub(super) fn delimiter_name(delimiter: u8) -> &'static str {
    match delimiter {
        b';' => ";",
        b'\t' => "tab",
        b'|' => "|",
        _ => ",",
    }
}

/// The delimiter with which most rows of the sample have one and the same width, and the largest.
pub(super) fn delimiter(sample: &[u8]) -> u8 {
    let mut best = (b',', 0.0);
    for candidate in [b',', b';', b'\t', b'|'] {
        let mut widths: HashMap<usize, usize> = HashMap::new();
        let mut rows = ReaderBuilder::new().delimiter(candidate).has_headers(false).flexible(true).from_reader(sample);
        let mut count = 0;
        for record in rows.byte_records().take(ROWS).flatten() {
            *widths.entry(record.len()).or_default() += 1;
            count += 1;
        }
        let Some((&width, &agreeing)) = widths.iter().max_by_key(|(width, agreeing)| (**agreeing, **width)) else {
            continue;
        };
        if width > 1 {
            // Agreement counts twice: prose has commas too, but never the same number in each line.
            let score = (agreeing as f64 / f64::from(count)).powi(2) * (1.0 + (width as f64).ln());
            if score > best.1 {
                best = (candidate, score);
            }
        }
    }
    best.0
}

/// Whether the first row names the columns: all its cells are distinct text, and below at least one of them stands
/// something that is not text, or nothing speaks against it.
pub(super) fn has_header(rows: &[Vec<String>], delimiter: u8) -> bool {
    let (Some(first), rest) = (rows.first(), rows.get(1..).unwrap_or_default()) else {
        return false;
    };
    let decimal_comma = delimiter != b',';
    let kind = |text: &str| value_type(text, decimal_comma);
    let mut distinct: Vec<_> = first.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
    let named = distinct.len();
    distinct.sort_unstable();
    distinct.dedup();
    if named == 0 || distinct.len() < named || named * 2 < first.len() {
        return false;
    }
    if first.iter().any(|name| !matches!(kind(name), None | Some(ValueType::Text))) {
        return false;
    }
    if rest.is_empty() {
        return true;
    }
    // A value of the first row that comes again below it in the same column is a value, not a name.
    !first.iter().enumerate().any(|(index, name)| {
        !name.trim().is_empty() && rest.iter().any(|row| row.get(index).is_some_and(|cell| cell == name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_guessed() {
        for (text, expected) in [
            ("a,b,c\n1,2,3\n", b','),
            ("a;b;c\n1,5;2,5;3\n4,5;5,25;6,125\n", b';'),
            ("a\tb\n1,2\t3\n", b'\t'),
            ("a|b|c\n1|2|3\n", b'|'),
            ("name,note\nx,\"a;b;c;d\"\ny,\"e;f;g;h\"\n", b','),
            ("just one column\nof text, with commas\nhere and, there, more\n", b','),
        ] {
            assert_eq!(delimiter(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn headers_are_guessed() {
        for (rows, expected) in [
            (vec!["id,name", "1,Ann", "2,Bob"], true),
            (vec!["1,Ann", "2,Bob"], false),
            (vec!["name,city", "Ann,Oslo", "Bob,Rome"], true),
            (vec!["Ann,Oslo", "Bob,Rome", "Ann,Paris"], false),
            (vec!["a,a", "1,2"], false),
            (vec!["a,b"], true),
        ] {
            let cells: Vec<Vec<String>> =
                rows.iter().map(|row| row.split(',').map(ToOwned::to_owned).collect()).collect();
            assert_eq!(has_header(&cells, b','), expected, "{rows:?}");
        }
    }
}
