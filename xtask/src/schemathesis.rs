//! `cargo xtask schemathesis`: holds a real node to its `OpenAPI` document, as each class of caller.
//!
//! What is asked and what must hold is in `xtask/schemathesis/run.py`; here is its Python with the packages it needs.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::command::{self, Stream};
use crate::tally::Tally;
use crate::{requirements, ui, workspace};

const FOLDER: &str = "xtask/schemathesis";
/// All callers together, in CI.
const CI_SECONDS: u32 = 60;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long, for all classes of callers together
    #[arg(long, default_value_t = 900)]
    seconds: u32,
    /// Made-up requests for each operation
    #[arg(long, default_value_t = 500)]
    examples: u32,
    /// What a run was made up from; the same number asks the same again
    #[arg(long)]
    seed: Option<u64>,
    /// Only as owner, operator, member, viewer, guest, engine, admin or nobody; may be given more than once
    #[arg(long)]
    caller: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    requirements::for_schemathesis()?;
    ui::build()?;
    command::run(command::cargo().args(["build", "--package", "flowork-cli"]))?;
    let mut arguments = vec![
        "--seconds".to_owned(),
        options.seconds.to_string(),
        "--examples".to_owned(),
        options.examples.to_string(),
    ];
    arguments.extend(options.seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
    arguments.extend(options.caller.iter().flat_map(|caller| ["--caller".to_owned(), caller.clone()]));
    let tally = asked(&arguments)?;
    if tally.failed > 0 {
        let (failed, total) = (tally.failed, tally.total());
        bail!("{failed} of {total} failed: by answers that the document does not name, or by not being let in");
    }
    Ok(())
}

/// What CI runs, on the node that is built: one test for each class of callers.
pub(crate) fn in_ci() -> Result<Tally> {
    asked(&["--seconds".to_owned(), CI_SECONDS.to_string()])
}

fn asked(arguments: &[String]) -> Result<Tally> {
    let python = environment()?;
    let mut run = command::in_root(python);
    run.arg("-u").arg(format!("{FOLDER}/run.py")).args(arguments);
    run.env("FLOWORK_BIN", workspace::program("debug", "flowork"));
    let run = command::watch(&mut run, Stream::Out)?;
    let tally = run.lines.iter().rev().find_map(|line| summary(line)).context("it ended before it had asked")?;
    Ok(tally.with_runner(run.success))
}

/// Reads a line like `schemathesis: 7 passed, 1 failed owner`.
fn summary(line: &str) -> Option<Tally> {
    let mut words = line.strip_prefix("schemathesis: ")?.split_whitespace();
    let passed = words.next()?.parse().ok()?;
    let failed = words.nth(1)?.parse().ok()?;
    Some(Tally { passed, failed })
}

/// Makes the Python environment with the packages of `requirements.txt`, unless it is there; returns its Python.
fn environment() -> Result<PathBuf> {
    let wanted = fs::read_to_string(workspace::root().join(FOLDER).join("requirements.txt"))?;
    let folder = workspace::target().join("xtask/schemathesis");
    let (python, stamp) = (folder.join("bin/python"), folder.join("flowork-stamp"));
    if python.exists() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    command::run(command::in_root("python3").args(["-m", "venv", "--clear"]).arg(&folder))
        .context("making a Python environment")?;
    requirements::retry(|| {
        let mut install = command::in_root(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        command::run(install.arg(format!("{FOLDER}/requirements.txt")))
    })
    .context("installing schemathesis")?;
    fs::write(&stamp, wanted)?;
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_counted() {
        assert_eq!(summary("schemathesis: 7 passed, 1 failed owner"), Some(Tally { passed: 7, failed: 1 }));
        assert_eq!(summary("schemathesis: 8 passed, 0 failed"), Some(Tally { passed: 8, failed: 0 }));
        assert_eq!(summary("-- as owner, for 10 s"), None);
    }
}
