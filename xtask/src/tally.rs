//! Counting tests: what each runner says at its end, read into one pair of numbers.

use std::ops::AddAssign;

use anyhow::{Context, Result};
use serde_json::Value;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Counts one step that is not a test runner.
    pub(crate) fn of_step(succeeded: bool) -> Self {
        Self { passed: u64::from(succeeded), failed: u64::from(!succeeded) }
    }

    /// How many tests ran.
    pub(crate) fn total(self) -> u64 {
        self.passed + self.failed
    }

    /// Adds one failure when the runner itself failed although no test of it did: it never came to its tests, or
    /// stumbled after them.
    pub(crate) fn with_runner(mut self, succeeded: bool) -> Self {
        if !succeeded && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Finds the last line in which cargo-nextest sums up its run.
pub(crate) fn nextest_summary(lines: &[String]) -> Option<&str> {
    lines.iter().rev().map(|line| line.trim()).find(|line| line.starts_with("Summary [") && line.contains(" run: "))
}

/// Reads a line like `Summary [ 1.2s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 0 skipped`.
///
/// What ran and did not pass failed, whatever nextest calls it.
pub(crate) fn from_nextest(summary: &str) -> Option<Tally> {
    let (before, after) = summary.split_once(" run: ")?;
    let ran = before.rsplit(']').next()?.split_whitespace().next()?;
    // `5/12 tests run` when the run was cut short.
    let ran: u64 = ran.split('/').next()?.parse().ok()?;
    let passed: u64 = after
        .split(',')
        .find_map(|part| {
            let mut words = part.split_whitespace();
            let number = words.next()?;
            (words.next()? == "passed").then_some(number)
        })
        .map_or(Some(0), |number| number.parse().ok())?;
    Some(Tally { passed, failed: ran.checked_sub(passed)? })
}

/// Sums lines like `test result: ok. 3 passed; 0 failed; …`, one for each crate.
pub(crate) fn from_cargo_test(lines: &[String]) -> Tally {
    let mut tally = Tally::default();
    for line in lines.iter().filter(|line| line.starts_with("test result:")) {
        tally.passed += number_before(line, " passed").unwrap_or(0);
        tally.failed += number_before(line, " failed").unwrap_or(0);
    }
    tally
}

/// Reads the totals at the end of the TAP report of `node --test`.
pub(crate) fn from_tap(report: &str) -> Tally {
    let total = |name: &str| -> u64 {
        let prefix = format!("# {name} ");
        report.lines().rev().find_map(|line| line.strip_prefix(&prefix)?.trim().parse().ok()).unwrap_or(0)
    };
    Tally { passed: total("pass"), failed: total("fail") + total("cancelled") }
}

/// Reads the JSON report of vitest.
pub(crate) fn from_vitest(report: &str) -> Result<Tally> {
    let report: Value = serde_json::from_str(report).context("reading the report of vitest")?;
    let number =
        |key: &str| report.get(key).and_then(Value::as_u64).with_context(|| format!("vitest reports no {key}"));
    let tally = Tally { passed: number("numPassedTests")?, failed: number("numFailedTests")? };
    // A file that does not even load has no tests that could fail.
    Ok(tally.with_runner(report.get("success") == Some(&Value::Bool(true))))
}

fn number_before(line: &str, word: &str) -> Option<u64> {
    line.split_once(word)?.0.rsplit([' ', ';']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nextest_summary_is_read() {
        for (line, passed, failed) in [
            ("     Summary [   1.234s] 12 tests run: 12 passed, 0 skipped", 12, 0),
            ("     Summary [   1.234s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 3 skipped", 10, 2),
            ("     Summary [   0.004s] 1 test run: 1 passed (1 leaky), 0 skipped", 1, 0),
            ("     Summary [   0.004s] 2 tests run: 0 passed, 2 failed, 0 skipped", 0, 2),
            ("     Summary [   9.000s] 5/7 tests run: 4 passed, 1 failed, 0 skipped", 4, 1),
        ] {
            let lines = ["PASS a".to_owned(), line.to_owned(), "        FAIL b".to_owned()];
            let summary = nextest_summary(&lines).expect("the line is found among others");
            assert_eq!(from_nextest(summary), Some(Tally { passed, failed }), "of {line:?}");
        }
        assert_eq!(nextest_summary(&["error: could not compile".to_owned()]), None, "no tests ran");
    }

    #[test]
    fn doc_test_results_are_summed_over_crates() {
        let lines = [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1s".to_owned(),
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out".to_owned(),
        ];
        assert_eq!(from_cargo_test(&lines), Tally { passed: 4, failed: 2 });
    }

    #[test]
    fn tap_totals_count_cancelled_tests_as_failed() {
        let report = "TAP version 13\nok 1 - a\n# tests 4\n# pass 2\n# fail 1\n# cancelled 1\n# skipped 0\n";
        assert_eq!(from_tap(report), Tally { passed: 2, failed: 2 });
    }

    #[test]
    fn vitest_file_that_does_not_load_counts_as_a_failure() {
        let report = r#"{"numPassedTests": 3, "numFailedTests": 0, "success": false}"#;
        assert_eq!(from_vitest(report).unwrap(), Tally { passed: 3, failed: 1 });
        let report = r#"{"numPassedTests": 3, "numFailedTests": 0, "success": true}"#;
        assert_eq!(from_vitest(report).unwrap(), Tally { passed: 3, failed: 0 });
    }

    #[test]
    fn runner_that_never_came_to_its_tests_failed_once() {
        assert_eq!(Tally::default().with_runner(false), Tally { passed: 0, failed: 1 });
        assert_eq!(Tally { passed: 1, failed: 2 }.with_runner(false), Tally { passed: 1, failed: 2 });
    }
}
