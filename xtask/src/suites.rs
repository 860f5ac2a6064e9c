//! What `cargo xtask test` runs.
//!
//! The order saves time and breaks no dependency: the GUI is embedded in the node, so it comes first, and what needs
//! built programs comes after `rust`. Every cargo call selects the same packages: another selection would resolve
//! other features and build the dependencies once more.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::command::{self, Stream};
use crate::tally;
use crate::test::Outcome;
use crate::{cargo_tools, check, codegen, packages, schemathesis, ui, workspace};

/// A named part of the tests that can be run alone.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn() -> Outcome,
}

/// Every suite, in the order in which they run.
pub(crate) const SUITES: &[Suite] = &[
    Suite { name: "ui", about: "the web GUI: lint, types, unit tests, build", run: web_gui },
    Suite { name: "check", about: "format, clippy, house rules, dependencies, scripts", run: check::suite },
    Suite { name: "rust", about: "every Rust test, and generated files", run: rust },
    Suite { name: "api", about: "a real node held to its OpenAPI document, as each class of caller", run: api },
    Suite { name: "desktop", about: "the real desktop app in a window nobody sees", run: desktop },
    Suite {
        name: "packages",
        about: "deb, rpm and AppImage: packed, checked, installed, upgraded, removed",
        run: packages::suite,
    },
    Suite { name: "browser", about: "a real node in a real Chromium", run: browser },
];

/// Builds every program and test of the workspace, once a run.
pub(crate) fn build() -> Result<()> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            ui::build()
                .and_then(|()| command::cargo_build(&["--workspace", "--bins", "--tests"]))
                .map_err(|error| format!("{error:#}"))
        })
        .clone()
        .map_err(anyhow::Error::msg)
}

fn web_gui() -> Outcome {
    let mut outcome = Outcome::default();
    if !outcome.step("install", || ui::install("ui")) {
        return outcome;
    }
    for script in ["lint", "typecheck"] {
        outcome.step(script, || command::run(ui::npm("ui").args(["run", script])));
    }
    outcome.tests("vitest", || {
        let report = workspace::target().join("xtask/vitest.json");
        forget(&report)?;
        let mut run = ui::npm("ui");
        run.args(["run", "test", "--", "--reporter=default", "--reporter=json"]);
        run.arg(format!("--outputFile.json={}", report.display()));
        let succeeded = command::run(&mut run).is_ok();
        let report = fs::read_to_string(&report).context("vitest wrote no report")?;
        Ok(tally::from_vitest(&report)?.with_runner(succeeded))
    });
    outcome.step("build", ui::build);
    outcome
}

fn rust() -> Outcome {
    let mut outcome = Outcome::default();
    if !outcome.step("build", build) {
        return outcome;
    }
    outcome.step("generated files are fresh", codegen::check);
    let mut summary = None;
    outcome.tests("nextest", || {
        cargo_tools::nextest()?;
        let mut run = command::cargo();
        run.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
        let run = command::watch(with_programs(&mut run), Stream::Err)?;
        let line = tally::nextest_summary(&run.lines).context("nextest ran no tests")?;
        summary = Some(line.to_owned());
        Ok(tally::from_nextest(line).with_context(|| format!("reading {line:?}"))?.with_runner(run.success))
    });
    if check::has_doc_tests().unwrap_or(true) {
        outcome.tests("examples in the documentation", || {
            let run = command::watch(command::cargo().args(["test", "--doc", "--workspace"]), Stream::Out)?;
            Ok(tally::from_cargo_test(&run.lines).with_runner(run.success))
        });
    }
    outcome.remarks.extend(summary);
    outcome
}

fn api() -> Outcome {
    let mut outcome = Outcome::default();
    if outcome.step("build", build) {
        outcome.tests("schemathesis", schemathesis::in_ci);
    }
    outcome
}

fn desktop() -> Outcome {
    node_tests("tests/desktop", &[])
}

fn browser() -> Outcome {
    node_tests("tests/browser", &["tests/browser"])
}

/// Runs the `*.test.mjs` of a folder against the built programs.
fn node_tests(dir: &str, packages: &[&str]) -> Outcome {
    let mut outcome = Outcome::default();
    if !outcome.step("build", build) {
        return outcome;
    }
    for package in packages {
        if !outcome.step("install", || ui::install(package)) {
            return outcome;
        }
    }
    outcome.tests(dir, || {
        let mut files = workspace::files()?;
        files.retain(|file| file.starts_with(&format!("{dir}/")) && file.ends_with(".test.mjs"));
        if files.is_empty() {
            bail!("no tests in {dir}");
        }
        let report = workspace::target().join(format!("xtask/{}.tap", dir.replace('/', "-")));
        forget(&report)?;
        let mut run = command::in_root("node");
        run.args(["--test", "--test-concurrency=1", "--test-timeout=300000"]);
        run.args(["--test-reporter=spec", "--test-reporter-destination=stdout"]);
        run.args(["--test-reporter=tap", &format!("--test-reporter-destination={}", report.display())]);
        run.args(&files);
        let succeeded = command::run(with_programs(&mut run)).is_ok();
        let report = fs::read_to_string(&report).context("node wrote no report")?;
        Ok(tally::from_tap(&report).with_runner(succeeded))
    });
    outcome
}

/// Tells a test run which programs to test.
fn with_programs(command: &mut Command) -> &mut Command {
    command
        .env("FLOWORK_BIN", workspace::program("debug", "flowork"))
        .env("FLOWORK_DESKTOP_BIN", workspace::program("debug", "flowork-desktop"))
}

/// Removes the report of an earlier run, so that it cannot be taken for this one's, and makes its folder.
fn forget(report: &std::path::Path) -> Result<()> {
    if let Some(folder) = report.parent() {
        fs::create_dir_all(folder)?;
    }
    match fs::remove_file(report) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_its_own_name() {
        let mut names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SUITES.len());
    }

    #[test]
    fn forgetting_a_report_that_never_was_is_fine() {
        assert!(forget(&workspace::target().join("xtask/never-written.tap")).is_ok());
    }
}
