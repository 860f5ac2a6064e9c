//! The one entry for developers: `cargo xtask <verb>`.
//!
//! Each verb is one file. Everything CI runs is [`test`], so it can be run on any machine; nothing here is part of the
//! product. Start reading at [`Verb`].

mod bench;
mod cargo_tools;
mod chaos;
mod check;
mod codegen;
mod command;
mod desktop;
mod disk;
mod dist;
mod fuzz;
mod icons;
mod packages;
mod requirements;
mod schemathesis;
mod screenshot;
mod secrets;
mod serve;
mod suites;
mod tally;
mod test;
mod tidy;
mod ui;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, run and check Flowork", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install what is missing, build the GUI and the node, and start the node
    Serve(serve::Options),
    /// Run every suite, as CI does
    Test(test::Options),
    /// Check format, lints, house rules, dependencies, scripts and generated files
    Check(check::Options),
    /// Check the house rules only (a few seconds)
    Tidy,
    /// Refresh what is generated: the `OpenAPI` document and the TypeScript client
    Codegen(codegen::Options),
    /// Build and open the desktop app
    Desktop(desktop::Options),
    /// Build what people download, into target/dist
    Dist(dist::Options),
    /// Measure
    Bench(bench::Options),
    /// Run the durability, fault and overload suites at full scale, or one of them with a seed
    Chaos(chaos::Options),
    /// Look for bytes that break a parser, with libFuzzer
    Fuzz(fuzz::Options),
    /// Hold the node to its `OpenAPI` document with requests that schemathesis makes up, as each class of caller
    Schemathesis(schemathesis::Options),
    /// Export every icon from assets/icons/flowork.svg
    Icons(icons::Options),
    /// Take pictures: of the dashboard for the README, or of the desktop app
    Screenshot(screenshot::Options),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().verb {
        Verb::Serve(options) => serve::run(&options),
        Verb::Test(options) => test::run(&options),
        Verb::Check(options) => check::run(&options),
        Verb::Tidy => check::tidy(),
        Verb::Codegen(options) => codegen::run(&options),
        Verb::Desktop(options) => desktop::run(&options),
        Verb::Dist(options) => dist::run(&options),
        Verb::Bench(options) => bench::run(&options),
        Verb::Chaos(options) => chaos::run(&options),
        Verb::Fuzz(options) => fuzz::run(&options),
        Verb::Schemathesis(options) => schemathesis::run(&options),
        Verb::Icons(options) => icons::run(&options),
        Verb::Screenshot(options) => screenshot::run(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
