//! `cargo xtask test`: every suite, one after the other, with a table and one line of totals at the end.
//!
//! A suite that fails does not stop the others. What a suite does is in [`crate::suites`].

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::suites::{SUITES, Suite};
use crate::tally::Tally;
use crate::{cargo_tools, command, disk, requirements};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Run only this suite; may be given more than once
    #[arg(long, value_name = "SUITE")]
    only: Vec<String>,
    /// List the suites and run nothing
    #[arg(long)]
    list: bool,
}

/// What came of a suite.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// Lines to repeat at the end: what failed, what was left out and why, the runner's own summary.
    pub(crate) remarks: Vec<String>,
}

impl Outcome {
    /// Runs one step of the suite and counts it as one test; says whether it succeeded.
    pub(crate) fn step(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> bool {
        println!("\n-- {name}");
        let result = step();
        self.tally += Tally::of_step(result.is_ok());
        match result {
            Ok(()) => println!("-- {name}: ok"),
            Err(error) => self.fail(name, &error),
        }
        self.tally.failed == 0
    }

    /// Runs tests that count themselves; one that could not even run them counts as one failure.
    pub(crate) fn tests(&mut self, name: &str, tests: impl FnOnce() -> Result<Tally>) {
        println!("\n-- {name}");
        match tests() {
            Ok(tally) => {
                self.tally += tally;
                if tally.failed > 0 {
                    self.remarks.push(format!(
                        "FAILED {name}: {} of {} tests",
                        tally.failed,
                        tally.passed + tally.failed
                    ));
                }
            }
            Err(error) => {
                self.tally += Tally::of_step(false);
                self.fail(name, &error);
            }
        }
    }

    fn fail(&mut self, name: &str, error: &anyhow::Error) {
        println!("-- {name}: FAILED: {error:#}");
        self.remarks.push(format!("FAILED {name}: {error:#}"));
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.list {
        for suite in SUITES {
            println!("{:<10} {}", suite.name, suite.about);
        }
        return Ok(());
    }
    let suites = chosen(&options.only)?;
    disk::has_room_for_tests()?;
    requirements::for_test()?;
    cargo_tools::nextest()?;
    for program in ["rustc", "cargo", "node"] {
        command::run(command::in_root(program).arg("--version"))?;
    }
    let mut finished = Vec::new();
    for suite in suites {
        println!("\n==== {}: {}", suite.name, suite.about);
        let start = Instant::now();
        let outcome = (suite.run)();
        finished.push((suite.name, start.elapsed(), outcome));
    }
    report(&finished)
}

fn chosen(only: &[String]) -> Result<Vec<&'static Suite>> {
    let names = || SUITES.iter().map(|suite| suite.name).collect::<Vec<_>>().join(", ");
    for name in only {
        if !SUITES.iter().any(|suite| suite.name == name) {
            bail!("there is no suite {name}; the suites are {}", names());
        }
    }
    Ok(SUITES.iter().filter(|suite| only.is_empty() || only.iter().any(|name| name == suite.name)).collect())
}

fn report(finished: &[(&str, Duration, Outcome)]) -> Result<()> {
    let mut total = Tally::default();
    println!("\n{:<10} {:>7} {:>7} {:>9}", "suite", "passed", "failed", "time");
    for (name, time, outcome) in finished {
        total += outcome.tally;
        println!("{name:<10} {:>7} {:>7} {:>9}", outcome.tally.passed, outcome.tally.failed, shown(*time));
    }
    let time = finished.iter().map(|(_, time, _)| *time).sum();
    println!("{:<10} {:>7} {:>7} {:>9}\n", "all", total.passed, total.failed, shown(time));
    for remark in finished.iter().flat_map(|(_, _, outcome)| &outcome.remarks) {
        println!("{remark}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed > 0 {
        bail!("not everything passed");
    }
    Ok(())
}

fn shown(time: Duration) -> String {
    format!("{}m{:02}s", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_suite_is_named_with_those_there_are() {
        let error = chosen(&["rusty".to_owned()]).map(|suites| suites.len()).unwrap_err();
        assert!(error.to_string().contains("rusty") && error.to_string().contains("browser"), "{error}");
    }

    #[test]
    fn without_a_choice_every_suite_runs() {
        assert_eq!(chosen(&[]).unwrap().len(), SUITES.len());
    }

    #[test]
    fn run_with_one_failure_is_an_error() {
        let mut outcome = Outcome::default();
        assert!(outcome.step("fine", || Ok(())));
        assert!(report(&[("a", Duration::ZERO, outcome)]).is_ok());
        let mut outcome = Outcome::default();
        assert!(!outcome.step("broken", || bail!("it broke")));
        assert!(report(&[("a", Duration::ZERO, outcome)]).is_err(), "the exit code must say so");
    }
}
