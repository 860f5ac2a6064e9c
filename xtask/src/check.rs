//! `cargo xtask check`: what can be said about the sources without running the product.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::test::Outcome;
use crate::{cargo_tools, codegen, command, requirements, secrets, suites, tidy as rules, ui, workspace};

/// How long the advisory database may take to arrive before the check goes on without it.
const ADVISORIES_WAIT: Duration = Duration::from_mins(1);

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Leave out what needs a build: clippy and the generated files
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    requirements::for_test()?;
    let mut outcome = Outcome::default();
    quick(&mut outcome);
    if !options.quick {
        clippy(&mut outcome);
        outcome.step("generated files are fresh", || suites::build().and_then(|()| codegen::check()));
    }
    for remark in &outcome.remarks {
        println!("{remark}");
    }
    println!("{} passed, {} failed", outcome.tally.passed, outcome.tally.failed);
    if outcome.tally.failed > 0 {
        bail!("not everything passed");
    }
    Ok(())
}

/// Runs the checks as a suite; generated files are left to the suite that has the programs built.
pub(crate) fn suite() -> Outcome {
    let mut outcome = Outcome::default();
    quick(&mut outcome);
    clippy(&mut outcome);
    outcome
}

/// Checks the house rules and prints each breach.
pub(crate) fn tidy() -> Result<()> {
    let problems = rules::problems()?;
    for problem in &problems {
        println!("{problem}");
    }
    if !problems.is_empty() {
        bail!("{} breaches of the house rules", problems.len());
    }
    println!("no breach of the house rules");
    Ok(())
}

fn quick(outcome: &mut Outcome) {
    outcome.step("format", || command::run(command::cargo().args(["fmt", "--all", "--", "--check"])));
    outcome.step("house rules", tidy);
    outcome.step("secrets", secrets::scan);
    outcome.step("scripts", scripts);
    let mut remark = None;
    outcome.step("dependencies", || dependencies(&mut remark));
    outcome.remarks.extend(remark);
}

fn clippy(outcome: &mut Outcome) {
    outcome.step("clippy", || {
        // The node embeds the built GUI, so there must be one for its crate to compile.
        ui::build()?;
        command::run(command::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
}

/// Checks every shell script of the project.
fn scripts() -> Result<()> {
    let root = workspace::root();
    let scripts: Vec<String> = workspace::files()?
        .into_iter()
        .filter(|file| {
            let start = fs::read(root.join(file)).unwrap_or_default();
            let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
            line.starts_with(b"#!") && line.ends_with(b"sh")
        })
        .collect();
    if scripts.is_empty() {
        bail!("no script found, though there is at least .ci/run");
    }
    // With what they read in.
    command::run(command::in_root("shellcheck").args(["-x", "-a"]).args(scripts))
}

/// Checks licenses, sources, bans and known vulnerabilities of the dependencies.
fn dependencies(remark: &mut Option<String>) -> Result<()> {
    cargo_tools::deny()?;
    let mut check = command::cargo();
    check.args(["deny", "--workspace", "check"]);
    let fetch = arrives_in(command::cargo().args(["deny", "fetch", "db"]), ADVISORIES_WAIT)?;
    if !fetch {
        let why =
            "the advisory database could not be fetched from its git host, so known vulnerabilities were NOT checked";
        println!("{why}");
        *remark = Some(format!("NOTE dependencies: {why}"));
        check.args(["bans", "licenses", "sources"]);
    }
    command::run(&mut check)
}

/// Says whether a command succeeds within a time; it is stopped after that.
fn arrives_in(command: &mut Command, time: Duration) -> Result<bool> {
    println!("$ {}", command::shown(command));
    let mut child = command.stdout(Stdio::null()).spawn().context("starting cargo")?;
    let deadline = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Says whether any documentation holds an example that can be run; finding none saves building for them.
pub(crate) fn has_doc_tests() -> Result<bool> {
    let root = workspace::root();
    let files = workspace::files()?;
    let mut sources = files.iter().filter(|file| rules::extension(file) == "rs");
    Ok(sources.any(|file| fs::read_to_string(root.join(file)).is_ok_and(|text| holds_doc_test(&text))))
}

fn holds_doc_test(text: &str) -> bool {
    let mut inside = false;
    for line in text.lines().map(str::trim_start).filter(|line| line.starts_with("///") || line.starts_with("//!")) {
        let Some(language) = line[3..].trim().strip_prefix("```") else { continue };
        let run =
            ["", "rust", "no_run", "should_panic", "compile_fail"].contains(&language.split(',').next().unwrap_or(""));
        if !inside && run {
            return true;
        }
        inside = !inside;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rust_examples_are_doc_tests() {
        assert!(holds_doc_test("//! Text\n//! ```\n//! let a = 1;\n//! ```\n"));
        assert!(holds_doc_test("/// ```no_run\n/// start();\n/// ```\nfn a() {}\n"));
        assert!(!holds_doc_test("/// ```json\n/// {}\n/// ```\nfn a() {}\n"), "the closing fence opens no example");
        assert!(!holds_doc_test("/// ```text\n/// a\n/// ```\nlet a = \"```\";\n"));
    }

    #[test]
    fn command_that_takes_too_long_is_stopped() {
        let late = arrives_in(Command::new("cat").stdin(Stdio::piped()), Duration::from_millis(50)).unwrap();
        assert!(!late, "it waits for input that never comes");
        assert!(arrives_in(&mut Command::new("true"), Duration::from_mins(1)).unwrap());
    }
}
