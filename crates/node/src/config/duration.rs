//! Durations as people type them: `500ms`, `30s`, `15m`, `2h`, `1d`.

use std::time::Duration;

/// Reads a duration.
///
/// # Errors
/// It is not a whole number and a unit. The text says what is.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let milliseconds_per_unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("a duration is a whole number and a unit: 500ms, 30s, 15m, 2h, 1d".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "a duration begins with a whole number, as in 15m".to_owned())?;
    number.checked_mul(milliseconds_per_unit).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_number_and_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("15m"), Ok(Duration::from_mins(15)));
        assert_eq!(parse_duration("1d"), Ok(Duration::from_hours(24)));
        for bad in ["", "15", "m", "1.5s", "-1s", "99999999999999999999s", "18446744073709551615d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
