//! What a cell holds. Pure.

use serde::Serialize;

/// The type of a cell, and of a column all of whose cells have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ValueType {
    Integer,
    Number,
    Boolean,
    Date,
    Datetime,
    Text,
}

/// Spellings of "nothing here", besides an empty cell.
const MISSING: [&str; 7] = ["na", "n/a", "#n/a", "null", "none", "nan", "nil"];

/// The type of a cell; `None` if it is missing.
pub(super) fn value_type(cell: &str, decimal_comma: bool) -> Option<ValueType> {
    let cell = cell.trim();
    if cell.is_empty() || MISSING.iter().any(|missing| cell.eq_ignore_ascii_case(missing)) {
        return None;
    }
    let first = cell.as_bytes()[0];
    if first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.' | b',') {
        if is_integer(cell) {
            return Some(ValueType::Integer);
        }
        if number(cell, decimal_comma).is_some() {
            return Some(ValueType::Number);
        }
        return Some(match date_length(cell) {
            Some(length) if length == cell.len() => ValueType::Date,
            Some(length) if is_time(&cell[length..]) => ValueType::Datetime,
            _ => ValueType::Text,
        });
    }
    if ["true", "false", "yes", "no"].iter().any(|word| cell.eq_ignore_ascii_case(word)) {
        return Some(ValueType::Boolean);
    }
    Some(ValueType::Text)
}

/// The number a cell holds. `1,5` counts where the comma is not the delimiter.
pub(super) fn number(cell: &str, decimal_comma: bool) -> Option<f64> {
    let cell = cell.trim();
    if !cell.bytes().all(|byte| byte.is_ascii_digit() || b"+-.,eE".contains(&byte)) || has_leading_zero(cell) {
        return None;
    }
    let number = if decimal_comma && cell.bytes().filter(|byte| *byte == b',').count() == 1 && !cell.contains('.') {
        cell.replace(',', ".").parse().ok()?
    } else {
        cell.parse::<f64>().ok()?
    };
    f64::is_finite(number).then_some(number)
}

fn is_integer(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    !digits.is_empty()
        && digits.len() <= 18
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !has_leading_zero(cell)
}

/// `007` is a name made of digits: a postcode, an article number. Adding such things up makes no sense.
fn has_leading_zero(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell).as_bytes();
    digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit()
}

/// How many bytes of the cell are a date: `2026-01-31`, `2026/01/31`, `31.01.2026`, `31/01/2026`, `1/31/2026`.
fn date_length(cell: &str) -> Option<usize> {
    let end = cell.bytes().position(|byte| matches!(byte, b'T' | b't' | b' ')).unwrap_or(cell.len());
    let date = &cell[..end];
    let separator = date.chars().find(|symbol| matches!(symbol, '-' | '/' | '.'))?;
    let parts: Vec<&str> = date.split(separator).collect();
    let &[first, second, third] = parts.as_slice() else {
        return None;
    };
    let numeric = |text: &str| text.len() <= 4 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if ![first, second, third].into_iter().all(numeric) {
        return None;
    }
    let value = |text: &str| text.parse::<u32>().unwrap_or(u32::MAX);
    let (day, month) = if first.len() == 4 && separator != '.' {
        (value(third), value(second))
    } else if third.len() == 4 && first.len() <= 2 && separator != '-' {
        let (a, b) = (value(first), value(second));
        // Day first or month first: whichever is possible.
        if separator == '/' && b > 12 { (b, a) } else { (a, b) }
    } else {
        return None;
    };
    ((1..=31).contains(&day) && (1..=12).contains(&month)).then_some(end)
}

/// `T12:30`, ` 12:30:15.25`, `T12:30:15Z`, `T12:30:15+02:00`
fn is_time(text: &str) -> bool {
    let Some(text) = text.strip_prefix(['T', 't', ' ']) else {
        return false;
    };
    let text = text.trim_start();
    let clock_end = text.bytes().position(|byte| !byte.is_ascii_digit() && byte != b':').unwrap_or(text.len());
    let parts: Vec<&str> = text[..clock_end].split(':').collect();
    let in_range = |index: usize, max: u32| {
        parts.get(index).is_none_or(|part| part.len() == 2 && part.parse::<u32>().is_ok_and(|value| value <= max))
    };
    let mut rest = &text[clock_end..];
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        rest = fraction.trim_start_matches(|symbol: char| symbol.is_ascii_digit());
    }
    let zone = rest.trim();
    let zone_is_valid = matches!(zone, "" | "Z" | "z" | "UTC" | "GMT")
        || zone.strip_prefix(['+', '-']).is_some_and(|offset| {
            (2..=5).contains(&offset.len()) && offset.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
        });
    (2..=3).contains(&parts.len()) && in_range(0, 24) && in_range(1, 59) && in_range(2, 60) && zone_is_valid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_have_types() {
        use ValueType::{Boolean, Date, Datetime, Integer, Number, Text};
        for (cell, expected) in [
            ("", None),
            ("  ", None),
            ("NA", None),
            ("n/a", None),
            ("NULL", None),
            ("0", Some(Integer)),
            ("-17", Some(Integer)),
            ("+5", Some(Integer)),
            ("123456789012345678", Some(Integer)),
            ("12345678901234567890", Some(Number)),
            ("007", Some(Text)),
            ("0.5", Some(Number)),
            (".5", Some(Number)),
            ("-1e-7", Some(Number)),
            ("1e999", Some(Text)),
            ("1.2.3", Some(Text)),
            ("-", Some(Text)),
            ("12abc", Some(Text)),
            ("true", Some(Boolean)),
            ("No", Some(Boolean)),
            ("2026-02-28", Some(Date)),
            ("2026/02/28", Some(Date)),
            ("28.02.2026", Some(Date)),
            ("2/28/2026", Some(Date)),
            ("28/2/2026", Some(Date)),
            ("2026-13-01", Some(Text)),
            ("2026-02-28T10:30", Some(Datetime)),
            ("2026-02-28 10:30:15.123", Some(Datetime)),
            ("2026-02-28T10:30:15Z", Some(Datetime)),
            ("2026-02-28T10:30:15+02:00", Some(Datetime)),
            ("2026-02-28T25:30", Some(Text)),
            ("hello", Some(Text)),
            ("1,5", Some(Text)),
        ] {
            assert_eq!(value_type(cell, false), expected, "{cell:?}");
        }
        assert_eq!(value_type("1,5", true), Some(Number));
        assert_eq!(number("1,5", true), Some(1.5));
        assert_eq!(value_type("1.234,5", true), Some(Text));
    }
}
