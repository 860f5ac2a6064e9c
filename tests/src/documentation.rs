//! The README's commands, run as they stand there.

use anyhow::{Context, ensure};
use flowork_test_support::{TestHome, flowork, output_of};

const README: &str = include_str!("../../README.md");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readme_shows_a_job_by_command_line_that_works() -> anyhow::Result<()> {
    run_block("Through the command line").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readme_shows_a_job_by_curl_that_works() -> anyhow::Result<()> {
    run_block("Through HTTP").await
}

/// Runs the first `sh` block below a heading, in a folder with the CSV file it speaks of, against a node of its own.
async fn run_block(heading: &str) -> anyhow::Result<()> {
    let section = README.split(&format!("### {heading}\n")).nth(1).with_context(|| format!("no {heading:?}"))?;
    let script = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).context("no sh block")?;
    let node = TestHome::new()?.start().await?;
    let home = node.home();
    std::fs::write(home.path().join("sales.csv"), "day,units\n2026-01-01,3\n2026-01-02,\n2026-01-03,8\n")?;
    let programs = flowork().parent().context("the binary is in a folder")?.to_owned();
    let path = std::env::join_paths(
        std::iter::once(programs).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    // The README speaks of the address a node has by default.
    let script = script.replace("http://127.0.0.1:7717", node.url());
    let mut shell = home.command("bash".as_ref());
    shell.args(["-euo", "pipefail", "-c", &script]).env("PATH", path).current_dir(home.path());
    let output = output_of(&mut shell).await?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{heading}: {}\n{stdout}\n{stderr}", output.status);
    ensure!(stdout.contains("units") && stdout.contains("missing"), "the profile is shown:\n{stdout}\n{stderr}");
    Ok(())
}
