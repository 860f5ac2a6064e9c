//! The command line of the app. A person never sees it; scripts, tests and the app itself do.

use clap::{Parser, Subcommand};

/// What the app was started with.
#[derive(Debug, Parser)]
#[command(name = "flowork-desktop", version, about = "Flowork in a window")]
pub(crate) struct Arguments {
    /// Where the node keeps its data
    // The environment is read with the rest of the configuration, so that an error names the variable.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
    /// Where the node listens; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What the app does instead of opening a window.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sample modules run as child processes of this very program
    #[command(subcommand, hide = true)]
    Module(ModuleCommand),
}

/// What can be done with a sample module.
#[derive(Debug, Subcommand)]
pub(crate) enum ModuleCommand {
    /// Run one attempt: a request on stdin, lines of JSON on stdout
    Run {
        /// The id of the module
        name: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_is_run_without_a_window() {
        let arguments = Arguments::parse_from(["flowork-desktop", "module", "run", "csv-profile"]);
        let Some(Command::Module(ModuleCommand::Run { name })) = arguments.command else {
            panic!("`module run` was not understood");
        };
        assert_eq!(name, "csv-profile");
    }

    #[test]
    fn node_is_placed_by_flags() {
        let arguments = Arguments::parse_from(["flowork-desktop", "--data-dir", "/a", "--listen", "127.0.0.1:0"]);
        assert_eq!(arguments.data_dir.as_deref(), Some("/a"));
        assert_eq!(arguments.listen.as_deref(), Some("127.0.0.1:0"));
        assert!(arguments.command.is_none(), "it opens the window");
    }
}
