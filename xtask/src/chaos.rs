//! `cargo xtask chaos`: what CI runs small, run large. Each suite is a file in tests/src/chaos.

use anyhow::{Result, bail};

use crate::{command, requirements, ui};

/// A suite, and the tests that are part of it wherever they are.
struct Suite {
    name: &'static str,
    about: &'static str,
    /// Packages and the beginnings of the names of its tests.
    tests: &'static [(&'static str, &'static str)],
}

const TESTS: &str = "flowork-tests";
const ENGINE: &str = "flowork-engine";
const SCHEDULES: &str = "flowork-schedules";

const SUITES: &[Suite] = &[
    Suite { name: "kills", about: "kill -9 under load, half at a chosen call", tests: &[(TESTS, "chaos::kills::")] },
    Suite { name: "power", about: "power cuts, replayed from a trace", tests: &[(TESTS, "chaos::power::")] },
    Suite { name: "faults", about: "calls to the kernel that fail", tests: &[(TESTS, "chaos::faults::")] },
    Suite { name: "full-disk", about: "a disk that fills up under load", tests: &[(TESTS, "chaos::full_disk::")] },
    Suite { name: "history", about: "what many workers were told, checked", tests: &[(TESTS, "chaos::history::")] },
    Suite { name: "duplicates", about: "the same request again and again", tests: &[(TESTS, "chaos::duplicates::")] },
    Suite { name: "overload", about: "ten times the load a node can take", tests: &[(TESTS, "chaos::overload::")] },
    Suite {
        name: "reconnects",
        about: "thousands of sockets that come back at once",
        tests: &[(TESTS, "chaos::reconnects::")],
    },
    Suite {
        name: "simulation",
        about: "the queue and schedules against plain models, on a set clock",
        tests: &[(ENGINE, "simulation::"), (ENGINE, "model::"), (SCHEDULES, "simulation::")],
    },
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// What to run, of kills, power, faults, full-disk, history, duplicates, overload, reconnects, simulation; all of it without
    #[arg(value_name = "SUITE")]
    suites: Vec<String>,
    /// Run what this seed gave before, as a failed run printed it
    #[arg(long)]
    seed: Option<u64>,
    /// How much: as in CI, or everything
    #[arg(long, default_value = "full", value_parser = ["ci", "full"])]
    scale: String,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let chosen = chosen(&options.suites)?;
    requirements::for_chaos()?;
    ui::build()?;
    command::run(command::cargo().args(["build", "--package", "flowork-cli"]))?;
    let mut failed = Vec::new();
    for suite in chosen {
        println!("\n{}: {}", suite.name, suite.about);
        if suite.tests.iter().any(|(package, prefix)| run_tests(package, prefix, options).is_err()) {
            failed.push(suite.name);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}; each printed its seed, for `cargo xtask chaos SUITE --seed N`", failed.join(", "));
    }
    Ok(())
}

fn run_tests(package: &str, prefix: &str, options: &Options) -> Result<()> {
    let mut tests = command::cargo();
    // One at a time, with what they print: how much was done is part of the outcome.
    tests.args(["test", "--package", package, "--", prefix, "--nocapture", "--test-threads=1"]);
    tests.env("FLOWORK_TEST_SCALE", &options.scale);
    if let Some(seed) = options.seed {
        tests.env("FLOWORK_TEST_SEED", seed.to_string());
    }
    command::run(&mut tests)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Suite>> {
    for name in names {
        if !SUITES.iter().any(|suite| suite.name == name) {
            let known = SUITES.iter().map(|suite| suite.name).collect::<Vec<_>>().join(", ");
            bail!("there is no suite {name}; the suites are {known}");
        }
    }
    Ok(SUITES.iter().filter(|suite| names.is_empty() || names.iter().any(|name| name == suite.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_choice_every_suite_runs_and_an_unknown_one_is_named() {
        assert_eq!(chosen(&[]).unwrap().len(), SUITES.len());
        assert_eq!(chosen(&["power".to_owned()]).unwrap().len(), 1);
        let error = chosen(&["powder".to_owned()]).map(|suites| suites.len()).unwrap_err().to_string();
        assert!(error.contains("powder") && error.contains("full-disk"), "{error}");
    }
}
