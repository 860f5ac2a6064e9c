//! `flowork`: one binary that is the node, and the command line to it.
//!
//! Each command has its file below [`commands`]; [`args`] holds what they share. Exit codes and the form of errors are
//! in [`exit`].

mod args;
mod audit_note;
mod client;
mod commands;
mod duration;
mod exit;
mod output;
mod private_file;
mod secret_input;
mod signals;
mod stopped_node;
mod version;

use std::{ffi::OsString, process::ExitCode, time::Duration};

use clap::Parser;

use crate::{
    args::Cli,
    commands::Command,
    exit::{Exit, Failure},
    output::Format,
};

/// How long a thread that hangs in a system call may hold up the end.
const RUNTIME_STOP: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    // A module is a short-lived child of the node: it needs neither the parser nor a runtime.
    let arguments: Vec<OsString> = std::env::args_os().skip(1).take(4).collect();
    if let [module, run, name] = &arguments[..]
        && module == "module"
        && run == "run"
        && let Some(name) = name.to_str().filter(|name| !name.starts_with('-'))
    {
        return flowork_sample_modules::run(name);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_parsed(&error),
    };
    let format = if cli.json { Format::Json } else { Format::People };
    match run(cli, format) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure, format);
            ExitCode::from(if failure.silent { 0 } else { failure.exit as u8 })
        }
    }
}

/// Help and versions are no errors; usage errors have the form that was asked for, as far as it can be told.
fn not_parsed(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let (message, usage) = text.split_once("\n\n").unwrap_or((&text, ""));
        let failure = Failure::new(Exit::Usage, "USAGE", message.trim_start_matches("error: ").trim());
        report(&failure.hint(usage.lines().next().map(str::to_owned)), Format::Json);
    } else {
        // Nobody may be there to read it.
        let _ = error.print();
    }
    ExitCode::from(if error.use_stderr() { Exit::Usage as u8 } else { 0 })
}

fn run(cli: Cli, format: Format) -> Result<(), Failure> {
    let mut builder = match cli.command {
        Command::Serve(_) | Command::Engine(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build().map_err(|error| Failure::from_error(Exit::Failed, "RUNTIME", &error))?;
    let ended = runtime.block_on(commands::run(cli, format));
    runtime.shutdown_timeout(RUNTIME_STOP);
    ended
}

fn report(failure: &Failure, format: Format) {
    if failure.silent {
        return;
    }
    output::say(&if format.is_json() { failure.as_json() } else { failure.for_people() });
}
