//! Running other programs: shown before they run, and an error that names them when they fail.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Returns a command that runs in the root of the workspace and asks nobody anything.
pub(crate) fn in_root(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root()).stdin(Stdio::null());
    command
}

/// Returns a cargo command that runs in the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = in_root(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Set for xtask itself by the cargo that runs it; a cargo started from here would hand them on to the programs it
    // runs and rebuild whatever watches them.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "CARGO_PKG_VERSION", "CARGO_CRATE_NAME"]
    {
        command.env_remove(name);
    }
    command
}

/// Runs a command with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("starting `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` ended with {status}", shown(command));
    }
    Ok(())
}

/// Builds with cargo. The error repeats the compiler's first ones: a log may be kept by its end alone.
pub(crate) fn cargo_build(arguments: &[&str]) -> Result<()> {
    const ERRORS_REPEATED: usize = 5;
    let mut build = cargo();
    build.arg("build").args(arguments);
    let run = watch(&mut build, Stream::Err)?;
    if !run.success {
        let errors = run.lines.iter().filter(|line| is_complaint(line)).take(ERRORS_REPEATED);
        let errors: Vec<&str> = errors.map(String::as_str).collect();
        bail!("`{}` failed:\n  {}", shown(&build), errors.join("\n  "));
    }
    Ok(())
}

/// Whether a line of cargo's tells why a build failed: an error, or what the linker said of a full disk.
fn is_complaint(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("error") || line.contains("No space left")
}

/// Runs a command and shows what it says only when it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("starting `{}`", shown(command)))?;
    if !output.status.success() {
        print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("`{}` ended with {}", shown(command), output.status);
    }
    Ok(())
}

/// Runs a command without output and says whether it succeeded; a program that is missing did not.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a command and returns what it wrote to stdout; its stderr goes to the terminal.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("starting `{}`", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` ended with {}", shown(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("reading the output of `{}`", shown(command)))
}

/// What a command that was read while it ran had to say.
pub(crate) struct Watched {
    pub(crate) success: bool,
    /// Each line it wrote to the stream that was read.
    pub(crate) lines: Vec<String>,
}

/// Which stream of a command is read by [`watch`]; the other one stays on the terminal.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Runs a command, shows every line of one of its streams as it comes, and keeps those lines.
pub(crate) fn watch(command: &mut Command, stream: Stream) -> Result<Watched> {
    println!("$ {}", shown(command));
    match stream {
        Stream::Out => command.stdout(Stdio::piped()),
        Stream::Err => command.stderr(Stdio::piped()),
    };
    let mut child = command.spawn().with_context(|| format!("starting `{}`", shown(command)))?;
    let pipe: Box<dyn std::io::Read> = match stream {
        Stream::Out => Box::new(child.stdout.take().context("stdout was not piped")?),
        Stream::Err => Box::new(child.stderr.take().context("stderr was not piped")?),
    };
    let mut lines = Vec::new();
    for line in BufReader::new(pipe).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end_matches('\r').to_owned();
        println!("{line}");
        lines.push(line);
    }
    Ok(Watched { success: child.wait()?.success(), lines })
}

/// Returns a command as a person would type it, without the folder of the program.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    let mut text = name.trim_end_matches(".exe").to_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        text.push(' ');
        if argument.is_empty() || argument.contains([' ', '"', '\'', '$']) {
            text.extend(["'", &argument, "'"]);
        } else {
            text.push_str(&argument);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_a_build_are_told_from_its_progress() {
        for line in ["error[E0308]: mismatched types", "  = note: ld: No space left on device (os error 28)"] {
            assert!(is_complaint(line), "{line}");
        }
        for line in ["   Compiling thiserror v2.0.18", "warning: unused variable: `error`"] {
            assert!(!is_complaint(line), "{line}");
        }
    }

    #[test]
    fn command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["run", "-p", "a b", ""]);
        assert_eq!(shown(&command), "cargo run -p 'a b' ''");
    }
}
