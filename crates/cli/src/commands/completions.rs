//! `flowork completions SHELL`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{args::Cli, exit::Failure, output};

/// Print completions for a shell
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

#[expect(clippy::needless_pass_by_value, reason = "each command owns its arguments")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "flowork", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())
}
