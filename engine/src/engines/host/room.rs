//! How long whoever meets a full queue is asked to wait.

use std::time::Duration;

/// While nothing has ended lately, so that nobody knows.
const UNKNOWN: Duration = Duration::from_secs(5);
/// Whoever waits longer had better look again: the rate may have changed.
const MAX: Duration = Duration::from_mins(1);
/// What a header in whole seconds can say.
const MIN: Duration = Duration::from_secs(1);
/// The share of the wait that chance adds at the most.
const JITTER: f64 = 0.5;

/// The time in which a tenth of the cap drains, and what is past it, at so many jobs a second. `chance`, from 0 to 1, adds
/// to it, so that those who were refused do not all come back at once.
pub(super) fn retry_after(drained_per_s: Option<f64>, waiting: u64, waiting_max: u64, chance: f64) -> Duration {
    let room = waiting.saturating_sub(waiting_max) + (waiting_max / 10).max(1);
    let wait = drained_per_s
        .filter(|rate| *rate > 0.0)
        .map_or(UNKNOWN, |rate| Duration::from_secs_f64((room as f64 / rate).min(MAX.as_secs_f64())));
    wait.mul_f64(1.0 + JITTER * chance).clamp(MIN, MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_the_time_in_which_there_is_room_again() {
        let check = |rate, waiting, waiting_max, chance, expected_ms| {
            let wait = retry_after(rate, waiting, waiting_max, chance);
            assert_eq!(wait.as_millis(), expected_ms, "{rate:?} a second, {waiting} of {waiting_max}, chance {chance}");
        };
        // A thousand must go.
        check(Some(100.0), 10_000, 10_000, 0.0, 10_000);
        check(Some(50.0), 10_000, 10_000, 0.0, 20_000);
        check(Some(100.0), 12_000, 10_000, 0.0, 30_000);
        check(Some(100.0), 10_000, 10_000, 1.0, 15_000);
        check(Some(100.0), 10_000, 10_000, 0.5, 12_500);
        // A small queue has room with its next end.
        check(Some(0.5), 5, 5, 0.0, 2_000);
        // As short and as long as it gets.
        check(Some(100_000.0), 10_000, 10_000, 0.0, 1_000);
        check(Some(0.1), 10_000, 10_000, 0.0, 60_000);
        check(Some(0.1), 10_000, 10_000, 1.0, 60_000);
        check(Some(f64::MIN_POSITIVE), u64::MAX, 10, 1.0, 60_000);
        // Nobody knows.
        check(None, 10_000, 10_000, 0.0, 5_000);
        check(None, 10_000, 10_000, 1.0, 7_500);
    }
}
